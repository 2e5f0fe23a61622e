/// The weight of a coalition of r others in a player's Shapley value: r! (M-1-r)! / M!.
struct ShapleyWeights: Sendable {
    /// Weight for r = 0 ..< M.
    let values: [Double]

    init(playerCount: Int) {
        // r! (M-1-r)! / M! = 1 / (M * (M-1 over r)), without factorials that overflow.
        var binomial = 1.0
        values = (0..<playerCount).map { others in
            defer { binomial = (binomial * Double(playerCount - 1 - others) / Double(others + 1)).rounded() }
            return 1 / (Double(playerCount) * binomial)
        }
    }
}

/// The Shapley values of a game given by the values of all its coalitions.
///
/// - Parameters:
///   - values: v(S) for all 2^M coalitions; bit i of the index says whether player i belongs to S.
///   - playerCount: number of players, M.
/// - Returns: M values that sum to v(all) - v(none).
/// - Throws: ``ShapleyError`` with code `invalidShape` when there are not 2^M values.
public func shapleyValues(fromCoalitionValues values: [Double], playerCount: Int) throws(ShapleyError) -> [Double] {
    guard (1...30).contains(playerCount), values.count == 1 << playerCount else {
        throw ShapleyError(
            .invalidShape, "\(values.count) values are not those of all coalitions of \(playerCount) players")
    }
    var result = [Double](repeating: 0, count: playerCount)
    let weights = ShapleyWeights(playerCount: playerCount).values
    values.withUnsafeBufferPointer { addShapleyValues($0, weights: weights, to: &result) }
    return result
}

func addShapleyValues(_ values: UnsafeBufferPointer<Double>, weights: [Double], to result: inout [Double]) {
    weights.withUnsafeBufferPointer { weights in
        for player in result.indices {
            let bit = 1 << player
            var sum = 0.0
            var coalition = 0
            while coalition < values.count {
                if coalition & bit == 0 {
                    sum += weights[coalition.nonzeroBitCount] * (values[coalition | bit] - values[coalition])
                }
                coalition += 1
            }
            result[player] += sum
        }
    }
}
