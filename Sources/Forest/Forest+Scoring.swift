import Foundation

extension Forest {
    /// Raw scores of N rows: N x K, row by row.
    ///
    /// - Parameter rows: N x F values, row by row; a missing value is NaN.
    public func rawScores(rows: [Double]) -> [Double] {
        precondition(rows.count.isMultiple(of: featureCount), "rows have as many values as the forest has columns")
        let count = rows.count / featureCount * classCount
        return [Double](unsafeUninitializedCapacity: count) { scores, initialized in
            scores.initialize(repeating: 0)
            rows.withUnsafeBufferPointer {
                rawScores(rows: $0, into: UnsafeMutableBufferPointer(rebasing: scores[..<count]))
            }
            initialized = count
        }
    }

    /// Raw scores of N rows, written to memory of the caller.
    ///
    /// - Parameters:
    ///   - rows: N x F values, row by row; a missing value is NaN.
    ///   - scores: room for N x K values, overwritten row by row.
    public func rawScores(rows: UnsafeBufferPointer<Double>, into scores: UnsafeMutableBufferPointer<Double>) {
        precondition(
            rows.count.isMultiple(of: featureCount) && scores.count == rows.count / featureCount * classCount,
            "rows have as many values as the forest has columns, scores as many as it has classes")
        scorer.score(rows: rows, featureCount: featureCount, into: scores)
    }

    /// Class probabilities of N rows: N x K, row by row; the softmax of the raw scores.
    ///
    /// - Parameter rows: N x F values, row by row; a missing value is NaN.
    public func probabilities(rows: [Double]) -> [Double] {
        var values = rawScores(rows: rows)
        Self.softmax(&values, classCount: classCount)
        return values
    }

    /// Turns raw scores, N x K, into probabilities, in the order of operations that LightGBM has.
    public static func softmax(_ scores: inout [Double], classCount: Int) {
        precondition(classCount > 0 && scores.count.isMultiple(of: classCount), "scores are whole rows of classes")
        scores.withUnsafeMutableBufferPointer { scores in
            for first in stride(from: 0, to: scores.count, by: classCount) {
                var largest = scores[first]
                for column in 1..<classCount { largest = max(largest, scores[first + column]) }
                var sum = 0.0
                for column in 0..<classCount {
                    scores[first + column] = exp(scores[first + column] - largest)
                    sum += scores[first + column]
                }
                for column in 0..<classCount { scores[first + column] /= sum }
            }
        }
    }
}
