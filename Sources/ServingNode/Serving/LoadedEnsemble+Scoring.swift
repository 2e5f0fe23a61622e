import EnsembleModel
import Forest
import Synchronization

extension LoadedEnsemble {
    /// Rows scored at a time: the combiner's input takes several times the memory of the request's numbers.
    private static let blockRows = 1024

    /// The ensemble's probabilities of N rows, N x K, row by row.
    ///
    /// A row that lacks members gets exactly what the combiner says of those that are there, v(S).
    ///
    /// - Parameters:
    ///   - members: N x K probabilities of each member, in model order; NaN in rows that it has no answer for.
    ///   - groups: the group of each row, where the combiner sees groups.
    /// - Throws: ``NodeError`` with code `membersUnavailable` when the combiner cannot be had without some members.
    func probabilities(_ members: [[Float]], groups: [some Hashable]?) throws(NodeError) -> [Double] {
        let rowCount = (members.first?.count ?? 0) / classCount
        let columns = columns(of: members, groups: groups)
        var complete: [Int] = []
        var incomplete: [[Int]: [Int]] = [:]
        for row in 0..<rowCount {
            let missing = missingMembers(members, row: row)
            if missing.isEmpty { complete.append(row) } else { incomplete[missing, default: []].append(row) }
        }
        var result = [Double](repeating: 0, count: rowCount * classCount)
        score(columns, rows: complete, by: forest, into: &result)
        for (missing, rows) in incomplete {
            score(columns, rows: rows, by: try conditioned.forest(without: missing), into: &result)
        }
        return result
    }

    /// Places of the members that have no answer for a row.
    func missingMembers(_ members: [[Float]], row: Int) -> [Int] {
        members.indices.filter { members[$0][row * classCount].isNaN }
    }

    /// The most probable class of each row; the first of equals.
    func labels(_ probabilities: [Double]) -> [String] {
        stride(from: 0, to: probabilities.count, by: classCount).map { first in
            var best = 0
            for column in 1..<classCount where probabilities[first + column] > probabilities[first + best] {
                best = column
            }
            return manifest.classes[best]
        }
    }

    private func score(_ columns: [MemberColumns], rows: [Int], by forest: Forest, into result: inout [Double]) {
        for first in stride(from: 0, to: rows.count, by: Self.blockRows) {
            let block = Array(rows[first..<min(first + Self.blockRows, rows.count)])
            let scores = forest.probabilities(rows: MemberColumns.joined(columns, rows: block))
            for (index, row) in block.enumerated() {
                for column in 0..<classCount {
                    result[row * classCount + column] = scores[index * classCount + column]
                }
            }
        }
    }
}

/// A combiner without some members, made when first needed. The latest few are kept: which members are away together
/// changes seldom.
final class ConditionedForests: Sendable {
    private static let kept = 20
    private let forest: Forest
    private let memberWidth: Int
    private let forests = Mutex(S3FIFO<[Int], Forest>(capacity: kept))

    /// - Parameter memberWidth: columns of each member.
    init(_ forest: Forest, memberWidth: Int) {
        self.forest = forest
        self.memberWidth = memberWidth
    }

    /// The combiner without some members.
    ///
    /// - Parameter missing: their places in model order, ascending.
    /// - Throws: ``NodeError`` with code `membersUnavailable`.
    func forest(without missing: [Int]) throws(NodeError) -> Forest {
        if let kept = forests.withLock({ $0.value(missing) }) { return kept }
        let isMissing = Set(missing)
        let conditioned: Forest
        do {
            conditioned = try forest.conditioned { !isMissing.contains($0 / memberWidth) }
        } catch {
            throw NodeError(
                .membersUnavailable,
                "\(missing.count) members did not answer, and the rest cannot be scored without them",
                cause: error)
        }
        forests.withLock { $0.insert(conditioned, for: missing, cost: 1) }
        return conditioned
    }
}
