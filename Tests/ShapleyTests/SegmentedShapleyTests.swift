import CForestKernels
import Dispatch
import RegistryTesting
import Synchronization
import Testing

@testable import Forest
@testable import Shapley

/// Sums over segments against the values row by row, and against brute force.
@Suite("Shapley values of segments")
struct SegmentedShapleyTests {
    /// Rows are dealt to segments in turn or in stretches; some segments have one row, some none.
    private func segments(_ count: Int, of segmentCount: Int, seed: UInt64) -> [Int] {
        var random = Random(state: seed, grid: 1)
        var current = 0
        return (0..<count).map { row in
            if random.integer(below: 4) == 0 { current = random.integer(below: segmentCount) }
            return row == 0 ? segmentCount - 1 : min(current, max(0, segmentCount - 3))
        }
    }

    /// The sums of values that were computed row by row.
    private func sums(_ values: [Double], _ segments: [Int], segmentCount: Int) -> [Double] {
        let each = values.count / max(1, segments.count)
        var sums = [Double](repeating: 0, count: segmentCount * each)
        for (row, segment) in segments.enumerated() {
            for index in 0..<each { sums[segment * each + index] += values[row * each + index] }
        }
        return sums
    }

    private func expectClose(_ ours: [Double], _ expected: [Double], rows: Int, _ comment: Comment) {
        #expect(ours.count == expected.count, comment)
        let scale = max(1, expected.map(\.magnitude).max() ?? 0)
        let worst = zip(ours, expected).map { abs($0 - $1) }.max() ?? 0
        #expect(worst <= 1e-9 * scale, comment)
        #expect(worst <= 1e-12 * scale * Double(rows), comment)
    }

    @Test("equal the values' sums, and no bit hangs on instructions", arguments: 0..<5, [1, 63, 300, 9_000])
    func forests(index: Int, rowCount: Int) throws {
        let random = KernelTests.forests[index]
        let (forest, players, rows) = (random.forest, random.players, random.rows(rowCount))
        let values = try GroupedShapley(forest: forest, players: players).values(rows: rows)
        for segmentCount in [1, 4, 40] {
            let segments = segments(rowCount, of: segmentCount, seed: UInt64(rowCount))
            let expected = sums(values, segments, segmentCount: segmentCount)
            for mostTabulated in [0, 3, nil] {
                var first: [Double]?
                for instructions in Instructions.available {
                    let kernel = try SegmentedShapley(
                        forest: forest, players: players, instructions: instructions, mostTabulated: mostTabulated)
                    let sums = try kernel.sums(rows: rows, segments: segments, segmentCount: segmentCount)
                    expectClose(sums, expected, rows: rowCount, "\(instructions), \(segmentCount) segments")
                    #expect(sums == first ?? sums, "\(instructions), \(segmentCount) segments")
                    first = sums
                }
            }
        }
    }

    @Test("equal brute force over all coalitions")
    func bruteForce() throws {
        for random in KernelTests.forests {
            let (forest, players, count) = (random.forest, random.players, 12)
            let (rows, oracle) = (random.rows(count), Oracle(forest: forest, players: players))
            let values = try (0..<count).flatMap { row in
                try oracle.values(Array(rows[row * forest.featureCount..<(row + 1) * forest.featureCount])).flatMap {
                    try Shapley.shapleyValues(fromCoalitionValues: $0, playerCount: players.count)
                }
            }
            let segments = (0..<count).map { $0 % 3 }
            let kernel = try SegmentedShapley(forest: forest, players: players)
            expectClose(
                try kernel.sums(rows: rows, segments: segments, segmentCount: 3),
                sums(values, segments, segmentCount: 3), rows: count, "brute force")
        }
    }

    @Test("of a trained forest sum to what the scores differ from the base")
    func trained() throws {
        let trained = try TrainedForest(models: 4, leaves: 31, rowCount: 2_000)
        let (forest, rows) = (trained.forest, trained.block(1_500))
        let kernel = try SegmentedShapley(forest: forest, players: trained.players)
        let base = try GroupedShapley(forest: forest, players: trained.players).base
        let segments = (0..<1_500).map { $0 % 5 }
        let sums = try kernel.sums(rows: rows, segments: segments, segmentCount: 5)
        let scores = forest.rawScores(rows: rows)
        for segment in 0..<5 {
            for index in 0..<forest.classCount {
                let first = (segment * forest.classCount + index) * kernel.playerCount
                let ours = sums[first..<first + kernel.playerCount].reduce(0, +)
                let expected = stride(from: segment, to: 1_500, by: 5).reduce(0) {
                    $0 + scores[$1 * forest.classCount + index] - base[index]
                }
                #expect(abs(ours - expected) <= 1e-9)
            }
        }
    }

    @Test("leaves of any number of players, by planes, by masks and row by row", arguments: [12, 20])
    func largeTables(playerCount: Int) throws {
        let random = try RandomForest(
            seed: 1, columnsOf: Array(repeating: 1, count: playerCount), classCount: 1, leaves: [60, 40])
        let (forest, players, rows) = (random.forest, random.players, random.rows(9_000))
        let values = try GroupedShapley(forest: forest, players: players).values(rows: rows)
        let segments = segments(9_000, of: 4, seed: 3)
        let expected = sums(values, segments, segmentCount: 4)
        let portable = try SegmentedShapley(forest: forest, players: players, instructions: .portable)
            .sums(rows: rows, segments: segments, segmentCount: 4)
        for instructions in Instructions.available {
            let kernel = try SegmentedShapley(forest: forest, players: players, instructions: instructions)
            let sums = try kernel.sums(rows: rows, segments: segments, segmentCount: 4)
            expectClose(sums, expected, rows: 9_000, "\(instructions)")
            #expect(sums == portable, "\(instructions)")
        }
    }

    @Test("are the same by any number of threads, blocks being added in their order")
    func threads() throws {
        let random = KernelTests.forests[0]
        let (rows, width) = (random.rows(2_000), random.forest.featureCount)
        let kernel = try SegmentedShapley(forest: random.forest, players: random.players)
        var first: [Double]?
        for threads in [1, 2, 4] {
            let blocks = Mutex([[Double]](repeating: [], count: 5))
            DispatchQueue.concurrentPerform(iterations: threads) { thread in
                for block in stride(from: thread, to: 5, by: threads) {
                    let own = Array(rows[block * 400 * width..<(block + 1) * 400 * width])
                    let segments = (0..<400).map { $0 % 7 }
                    let sums = try? kernel.sums(rows: own, segments: segments, segmentCount: 7)
                    blocks.withLock { $0[block] = sums ?? [] }
                }
            }
            var total = [Double](repeating: 0, count: 7 * kernel.classCount * kernel.playerCount)
            for sums in blocks.withLock({ $0 }) {
                #expect(sums.count == total.count)
                for index in sums.indices { total[index] += sums[index] }
            }
            #expect(total == first ?? total, "\(threads) threads")
            first = total
        }
    }

    @Test("rows and segments that do not match are refused; no rows are worth nothing")
    func refusals() throws {
        let random = KernelTests.forests[0]
        let kernel = try SegmentedShapley(forest: random.forest, players: random.players)
        let rows = random.rows(3)
        for segments in [[0, 1], [0, 1, 2], [0, -1, 1]] {
            let error = #expect(throws: ShapleyError.self) {
                _ = try kernel.sums(rows: rows, segments: segments, segmentCount: 2)
            }
            #expect(error?.code == .invalidShape)
        }
        let each = kernel.classCount * kernel.playerCount
        #expect(try kernel.sums(rows: [], segments: [], segmentCount: 2) == Array(repeating: 0, count: 2 * each))
        let sums = try kernel.sums(rows: rows, segments: [2, 2, 2], segmentCount: 4)
        #expect(sums[..<(2 * each)].allSatisfy { $0 == 0 } && sums[(3 * each)...].allSatisfy { $0 == 0 })
        #expect(sums[(2 * each)..<(3 * each)].contains { $0 != 0 })
    }

    @Test("segments start at words of their own, also where chunks end")
    func layout() {
        // 8,100 rows, one, none, 200: the last begin in the word after and go on in a second chunk.
        let segments = Array(repeating: 3, count: 200) + Array(repeating: 0, count: 8_100) + [1]
        let layout = SegmentLayout(segments, segmentCount: 4)
        #expect(layout.rows.filter { $0 >= 0 }.sorted() == (0..<8_301).map(Int32.init))
        #expect(layout.chunks.map(\.firstBlock) == [0, 32])
        let runs = layout.chunks.map { $0.runs.map { [$0.segment, $0.first_word, $0.row_count] } }
        #expect(runs == [[[0, 0, 8_100], [1, 127, 1]], [[3, 0, 200]]])
        #expect(layout.runCount == 3)
        #expect(layout.chunks.map(\.wordCount) == [128, 4])
        for (block, pieces) in layout.pieces.enumerated() {
            for piece in pieces {
                for row in piece.rows { #expect(segments[Int(layout.rows[block * 256 + row])] == piece.segment) }
            }
        }
        let rowCount = layout.pieces.joined().reduce(0) { $0 + $1.rows.count }
        #expect(rowCount == segments.count)
    }
}
