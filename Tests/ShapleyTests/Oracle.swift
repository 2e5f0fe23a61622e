import Foundation
import Shapley

@testable import Forest

/// The games by their definitions, as slow as they are plain.
struct Oracle {
    let forest: Forest
    let players: Players

    /// v of every coalition for every class of a row, by walking each tree once a coalition.
    func values(_ row: [Double]) -> [[Double]] {
        (0..<forest.classCount).map { index in
            (0..<1 << players.count).map { coalition in value(row, class: index) { coalition >> $0 & 1 == 1 } }
        }
    }

    /// v of one coalition for a class of a row.
    func value(_ row: [Double], class index: Int, isMember: (Int) -> Bool) -> Double {
        stride(from: index, to: forest.trees.count, by: forest.classCount).reduce(0) {
            let tree = forest.trees[$1]
            return $0 + expectation(tree, at: tree.nodeCount > 0 ? 0 : -1, row: row, isMember: isMember)
        }
    }

    /// ln p_label of every coalition of a row, clipped.
    func gains(_ row: [Double], label: Int) -> [Double] {
        let scores = values(row)
        return (0..<1 << players.count).map { coalition in
            logLikelihood(scores.map { $0[coalition] }, label: label)
        }
    }

    private func logLikelihood(_ scores: [Double], label: Int) -> Double {
        let largest = scores.max() ?? 0
        let weights = scores.map { exp($0 - largest) }
        return log(min(max(weights[label] / weights.reduce(0, +), 1e-7), 1 - 1e-7))
    }

    private func expectation(_ tree: Tree, at child: Int, row: [Double], isMember: (Int) -> Bool) -> Double {
        guard child >= 0 else { return tree.leafValues[-child - 1] }
        let column = tree.splitFeatures[child]
        func next(_ side: Int) -> Double { expectation(tree, at: side, row: row, isMember: isMember) }
        func cover(_ side: Int) -> Double { Double(side >= 0 ? tree.internalCounts[side] : tree.leafCounts[-side - 1]) }
        let (left, right) = (tree.leftChildren[child], tree.rightChildren[child])
        guard isMember(players.ofColumn[column]) else {
            return (cover(left) * next(left) + cover(right) * next(right)) / (cover(left) + cover(right))
        }
        var value = row[column]
        var isMissing = value.isNaN && tree.missingRules[child] == .nan
        if value.isNaN, tree.missingRules[child] == .none { value = 0 }
        if tree.missingRules[child] == .zero { isMissing = value.isNaN || abs(value) <= Double(Float(1e-35)) }
        let goesLeft = isMissing ? tree.defaultsLeft[child] : value <= tree.thresholds[child]
        return next(goesLeft ? left : right)
    }
}
