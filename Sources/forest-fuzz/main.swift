import Forest
import Foundation
import Shapley

// Feeds the reader of text models and the kernels behind it with random and damaged models: what `deploy/fuzz` runs
// under sanitizers.
//
// usage: forest-fuzz SECONDS [SEED]
//
// Sound models must be read, and their scores and Shapley values be those of the definitions with every instruction
// set. Damaged ones must be refused, or be forests that can be scored and explained. The first that is not ends the run
// with status 1; its seed is printed, and its text is left in forest-fuzz.txt.

func tell(_ text: String) { FileHandle.standardError.write(Data((text + "\n").utf8)) }

struct Finding: Error {
    let message: String
}

func expect(_ condition: Bool, _ message: @autoclosure () -> String) throws {
    if !condition { throw Finding(message: message()) }
}

/// v(S) of a tree: where the column of a split is not known, its children by their share of rows.
func value(_ tree: Tree, _ row: [Double], known: (Int) -> Bool) -> Double {
    func count(_ child: Int) -> Double { Double(child >= 0 ? tree.internalCounts[child] : tree.leafCounts[~child]) }
    func walk(_ child: Int) -> Double {
        guard child >= 0 else { return tree.leafValues[~child] }
        let (split, left, right) = (tree.split(at: child), tree.leftChildren[child], tree.rightChildren[child])
        if known(split.column) { return walk(split.goesLeft(row[split.column]) ? left : right) }
        return (walk(left) * count(left) + walk(right) * count(right)) / count(child)
    }
    return walk(tree.nodeCount > 0 ? 0 : -1)
}

func checkScores(_ forest: Forest, _ rows: [Double]) throws {
    let (width, classCount) = (forest.featureCount, forest.classCount)
    let scores = forest.rawScores(rows: rows)
    for row in 0..<rows.count / width {
        let values = Array(rows[row * width..<(row + 1) * width])
        var expected = [Double](repeating: 0, count: classCount)
        for (index, tree) in forest.trees.enumerated() {
            expected[index % classCount] += value(tree, values) { _ in true }
        }
        let bits = expected.map(\.bitPattern)
        try expect(scores[row * classCount..<(row + 1) * classCount].map(\.bitPattern) == bits, "scores of row \(row)")
        try expect(forest.rawScores(rows: values).map(\.bitPattern) == bits, "scores of row \(row) alone")
    }
}

func checkShapley(_ forest: Forest, _ rows: [Double], exactly: Bool, _ draws: inout Draws) throws {
    let playerCount = draws.integer(1...(draws.chance(10) ? 20 : 5))
    let columns = (0..<forest.featureCount).map { _ in draws.integer(0...playerCount - 1) }
    let players = try Players(ofColumn: columns, count: playerCount)
    var first: (values: [Double], sums: MeanMagnitudes.Sums)?
    for instructions in Instructions.available {
        for mostTabulated in [nil, draws.integer(0...4)] {
            let shapley = try GroupedShapley(
                forest: forest, players: players, instructions: instructions, mostTabulated: mostTabulated)
            let magnitudes = try MeanMagnitudes(
                forest: forest, players: players, instructions: instructions, mostTabulated: mostTabulated)
            let result = (values: try shapley.values(rows: rows), sums: try magnitudes.sums(rows: rows))
            try expect(
                result == first ?? result, "Shapley values with \(instructions), tables to \(mostTabulated ?? -1)")
            first = result
        }
    }
    if let first { try checkSegments(forest, players, rows, values: first.values, &draws) }
    let labels = (0..<rows.count / forest.featureCount).map { $0 % forest.classCount }
    _ = try Sage(forest: forest, players: players).values(rows: rows, labels: labels)
    guard exactly, playerCount <= 5, let first else { return }
    let row = Array(rows.prefix(forest.featureCount))
    for index in 0..<forest.classCount {
        let trees = stride(from: index, to: forest.trees.count, by: forest.classCount).map { forest.trees[$0] }
        let coalitions = (0..<1 << playerCount).map { set in
            trees.reduce(0) { $0 + value($1, row) { set >> columns[$0] & 1 == 1 } }
        }
        let expected = try shapleyValues(fromCoalitionValues: coalitions, playerCount: playerCount)
        for (player, value) in expected.enumerated() {
            let ours = first.values[index * playerCount + player]
            try expect(abs(ours - value) <= 1e-9, "player \(player) of class \(index): \(ours) for \(value)")
        }
    }
}

/// Sums over segments of the rows, repeated so that there are words full of them, beside the sums of their values.
func checkSegments(
    _ forest: Forest, _ players: Players, _ rows: [Double], values: [Double], _ draws: inout Draws
) throws {
    let (rowCount, segmentCount) = (rows.count / forest.featureCount, draws.integer(1...5))
    let times = draws.chance(10) ? draws.integer(1...600) : draws.integer(1...20)
    let segments = (0..<rowCount * times).map { _ in draws.integer(0...segmentCount - 1) }
    let repeated = (0..<times).flatMap { _ in rows }
    let each = values.count / rowCount
    var expected = [Double](repeating: 0, count: segmentCount * each)
    for (row, segment) in segments.enumerated() {
        for index in 0..<each { expected[segment * each + index] += values[row % rowCount * each + index] }
    }
    // Leaf values may be of any size.
    let scale = forest.trees.reduce(0) { $0 + ($1.leafValues.map(\.magnitude).max() ?? 0) }
    let bound = 1e-12 * Double(segments.count) * max(1, scale)
    var first: [Double]?
    for instructions in Instructions.available {
        for mostTabulated in [nil, 2] {
            let kernel = try SegmentedShapley(
                forest: forest, players: players, instructions: instructions, mostTabulated: mostTabulated)
            let sums = try kernel.sums(rows: repeated, segments: segments, segmentCount: segmentCount)
            let isClose = zip(sums, expected).allSatisfy { abs($0 - $1) <= bound }
            try expect(sums.count == expected.count && (isClose || !bound.isFinite), "sums with \(instructions)")
            if mostTabulated == nil {
                try expect(sums.map(\.bitPattern) == (first ?? sums).map(\.bitPattern), "bits with \(instructions)")
                first = sums
            }
        }
    }
}

/// One sound model and many damaged ones.
///
/// - Returns: damaged models that were read all the same.
func round(_ draws: inout Draws, text: inout [UInt8]) throws -> Int {
    let model = RandomModel(&draws)
    text = model.text
    let forest = try Forest(lightGBMText: text)
    let rows = RandomModel.rows(draws.integer(1...20), columnCount: model.columnCount, &draws)
    try checkScores(forest, rows)
    try checkShapley(forest, rows, exactly: true, &draws)
    var read = 0
    for _ in 0..<40 {
        text = model.damaged(&draws)
        let forest: Forest
        do throws(ForestError) {
            forest = try Forest(lightGBMText: text)
        } catch {
            try expect(!error.message.isEmpty, "a refusal without a reason")
            continue
        }
        read += 1
        guard forest.featureCount <= 1000, forest.classCount <= 100 else { continue }
        let rows = RandomModel.rows(3, columnCount: forest.featureCount, &draws)
        try checkScores(forest, rows)
        try checkShapley(forest, rows, exactly: false, &draws)
    }
    return read
}

let arguments = CommandLine.arguments.dropFirst().map { UInt64($0) }
guard (1...2).contains(arguments.count), let seconds = arguments[0] else {
    tell("usage: forest-fuzz SECONDS [SEED]")
    exit(2)
}
let end = ContinuousClock.now + .seconds(Int64(seconds))
var seed = (arguments.count > 1 ? arguments[1] : nil) ?? .random(in: 0..<1 << 32)
tell("forest-fuzz: from seed \(seed)")
var (rounds, read) = (0, 0)
repeat {
    var draws = Draws(state: seed)
    var text: [UInt8] = []
    do {
        read += try round(&draws, text: &text)
    } catch {
        try Data(text).write(to: URL(fileURLWithPath: "forest-fuzz.txt"))
        tell("forest-fuzz: seed \(seed): \((error as? Finding)?.message ?? "\(error)")")
        exit(1)
    }
    rounds += 1
    seed += 1
} while ContinuousClock.now < end
tell("forest-fuzz: \(rounds) sound models, \(rounds * 40) damaged ones of which \(read) were read: no fault")
