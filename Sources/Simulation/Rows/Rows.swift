import Foundation

/// Labelled rows with the champion's logits.
struct Rows: Sendable {
    /// Share of a model's error that rows of a group have in common.
    static let groupShare = 0.3

    let layout: Layout
    /// Class index of each row.
    let labels: [Int]
    /// N x K logits of the champion as it is at the start, row by row.
    let logits: [Double]

    /// The log-loss of each row under some logits, in nats.
    func losses(_ logits: [Double]) -> [Double] {
        let classCount = layout.classCount
        var losses = [Double](repeating: 0, count: labels.count)
        logits.withUnsafeBufferPointer { logits in
            for row in labels.indices {
                let first = row * classCount
                var largest = logits[first]
                for index in first + 1..<first + classCount { largest = max(largest, logits[index]) }
                var sum = 0.0
                for index in first..<first + classCount { sum += exp(logits[index] - largest) }
                losses[row] = largest + log(sum) - logits[first + labels[row]]
            }
        }
        return losses
    }

    /// The mean log-loss under some logits, in nats.
    func meanLoss(_ logits: [Double]) -> Double { losses(logits).mean }
}

extension Rows {
    /// Which rows go together, and how many values each has.
    struct Layout: Sendable {
        let classCount: Int
        /// Group index of each row.
        let groups: [Int]
        let groupCount: Int

        /// N x K draws of a standard deviation, of whose variance rows of a group share ``Rows/groupShare``.
        func noise(scale: Double = 1, _ random: inout RandomSource) -> [Double] {
            noise(
                rowScale: scale * (1 - Rows.groupShare).squareRoot(), groupScale: scale * Rows.groupShare.squareRoot(),
                &random)
        }

        /// N x K draws with a part of each row's own and a part of its group's.
        func noise(rowScale: Double, groupScale: Double, _ random: inout RandomSource) -> [Double] {
            let shared = (0..<groupCount * classCount).map { _ in groupScale * random.normal() }
            var values = [Double](repeating: 0, count: groups.count * classCount)
            values.withUnsafeMutableBufferPointer { values in
                for (row, group) in groups.enumerated() {
                    for index in 0..<classCount {
                        values[row * classCount + index] =
                            shared[group * classCount + index] + rowScale * random.normal()
                    }
                }
            }
            return values
        }
    }
}

extension [Double] {
    var mean: Double { reduce(0, +) / Double(count) }

    /// Adds a multiple of other values.
    mutating func add(_ other: [Double], times factor: Double = 1) {
        withUnsafeMutableBufferPointer { values in
            other.withUnsafeBufferPointer { other in
                for index in values.indices { values[index] += factor * other[index] }
            }
        }
    }

    func adding(_ other: [Double], times factor: Double = 1) -> [Double] {
        var sum = self
        sum.add(other, times: factor)
        return sum
    }
}
