import CForestKernels
import Dispatch
import Synchronization
import Testing

@testable import Forest
@testable import Shapley

/// Every instruction set against the definitions, on forests made to be awkward.
@Suite("Kernels")
struct KernelTests {
    /// Unequal players, one without columns; trees of one leaf, small trees, and trees with paths of all players.
    static let forests: [RandomForest] = {
        let shapes: [(columns: [Int], classes: Int, leaves: [Int], grid: Int)] = [
            ([3, 1, 4, 0, 2], 2, [1, 7, 31, 2, 1, 15], 8),
            ([1], 2, [1, 4], 3),
            ([2, 2, 2], 3, [1, 1, 1], 2),
            // More thresholds than a byte counts.
            ([1, 1, 2], 1, [700, 300], 600),
            ([1, 2, 1, 1, 3, 1, 1, 2, 1, 1], 2, [40, 60, 25, 3], 8),
        ]
        return shapes.enumerated().compactMap { index, shape in
            try? RandomForest(
                seed: UInt64(index), columnsOf: shape.columns, classCount: shape.classes, leaves: shape.leaves,
                grid: shape.grid)
        }
    }()

    @Test("Shapley values equal brute force, and no bit hangs on instructions, tables or blocks", arguments: 0..<5)
    func shapleyValues(index: Int) throws {
        let (random, count) = (Self.forests[index], 6)
        let (forest, players, rows) = (random.forest, random.players, random.rows(count))
        let portable = try GroupedShapley(forest: forest, players: players, instructions: .portable).values(rows: rows)
        let oracle = Oracle(forest: forest, players: players)
        for row in 0..<count {
            let own = Array(rows[row * forest.featureCount..<(row + 1) * forest.featureCount])
            let expected = try oracle.values(own).flatMap {
                try Shapley.shapleyValues(fromCoalitionValues: $0, playerCount: players.count)
            }
            #expect(expected.count == forest.classCount * players.count)
            for (value, other) in zip(portable[(row * expected.count)...], expected) {
                #expect(abs(value - other) <= 1e-9)
            }
        }
        for instructions in Instructions.available {
            for mostTabulated in [0, 3, 13] {
                let kernel = try GroupedShapley(
                    forest: forest, players: players, instructions: instructions, mostTabulated: mostTabulated)
                #expect(try kernel.values(rows: rows) == portable, "\(instructions), \(mostTabulated)")
                let width = forest.featureCount
                let parts = try kernel.values(rows: Array(rows[..<width])) + kernel.values(rows: Array(rows[width...]))
                #expect(parts == portable, "\(instructions), \(mostTabulated)")
            }
        }
    }

    @Test("paths of more players than are tabulated, and than a word has bits")
    func longPaths() throws {
        for (playerCount, leaves) in [(14, 17), (70, 90)] {
            // A chain: every node's left child is a leaf.
            let tree = Tree(
                splitFeatures: (0..<leaves - 1).map { $0 % playerCount },
                thresholds: (0..<leaves - 1).map { $0 < playerCount ? -0.5 : 0.5 },
                defaultsLeft: Array(repeating: false, count: leaves - 1),
                missingRules: Array(repeating: .nan, count: leaves - 1), leftChildren: (0..<leaves - 1).map { ~$0 },
                rightChildren: (0..<leaves - 1).map { $0 == leaves - 2 ? ~(leaves - 1) : $0 + 1 },
                leafValues: (0..<leaves).map { Double($0 % 7) - 2.5 }, leafCounts: Array(repeating: 1, count: leaves),
                internalCounts: (0..<leaves - 1).map { leaves - $0 })
            let forest = Forest(trees: [tree], classCount: 1, featureCount: playerCount)
            let players = try Players(count: playerCount, columnsEach: 1)
            let oracle = Oracle(forest: forest, players: players)
            let rows = (0..<3 * playerCount).map { $0 % 31 == 30 ? -1 : $0 % 11 == 10 ? .nan : $0 % 3 == 0 ? 1 : 0.0 }
            let kernel = try GroupedShapley(forest: forest, players: players, instructions: .portable)
            let values = try kernel.values(rows: rows)
            for row in 0..<3 {
                let own = Array(rows[row * playerCount..<(row + 1) * playerCount])
                let phi = values[row * playerCount..<(row + 1) * playerCount]
                let difference = oracle.value(own, class: 0) { _ in true } - oracle.value(own, class: 0) { _ in false }
                #expect(abs(phi.reduce(0, +) - difference) <= 1e-12)
                guard playerCount < 20 else { continue }
                let expected = try Shapley.shapleyValues(
                    fromCoalitionValues: oracle.values(own)[0], playerCount: playerCount)
                for (value, other) in zip(phi, expected) { #expect(abs(value - other) <= 1e-9) }
            }
            let sage = try Sage(forest: forest, players: players, exactPlayers: 0, instructions: .portable)
            let sampled = try sage.values(rows: rows, labels: [0, 0, 0])
            for instructions in Instructions.available {
                let other = try GroupedShapley(forest: forest, players: players, instructions: instructions)
                #expect(try other.values(rows: rows) == values)
                let otherSage = try Sage(
                    forest: forest, players: players, exactPlayers: 0, instructions: instructions)
                #expect(try otherSage.values(rows: rows, labels: [0, 0, 0]) == sampled)
            }
        }
    }

    @Test("fixed point errs by little, and no bit hangs on instructions or tables", arguments: 0..<5)
    func fixedPoint(index: Int) throws {
        let random = Self.forests[index]
        let (forest, players, rows) = (random.forest, random.players, random.rows(300))
        let exact = try GroupedShapley(forest: forest, players: players).values(rows: rows)
        let portable = try MeanMagnitudes(forest: forest, players: players, instructions: .portable)
        let units = try portable.units(rows: rows)
        for (unit, value) in zip(units, exact) { #expect(abs(Double(unit) * portable.resolution - value) <= 2e-7) }
        let means = try portable.means(portable.sums(rows: rows))
        for (position, mean) in means.enumerated() {
            let own = stride(from: position, to: exact.count, by: means.count).map { abs(exact[$0]) }
            #expect(abs(own.reduce(0, +) / 300 - mean) <= 2e-7)
        }
        for instructions in Instructions.available {
            for mostTabulated in [0, 13] {
                let kernel = try MeanMagnitudes(
                    forest: forest, players: players, instructions: instructions, mostTabulated: mostTabulated)
                #expect(try kernel.units(rows: rows) == units, "\(instructions), \(mostTabulated)")
                #expect(try kernel.sums(rows: rows) == portable.sums(rows: rows))
            }
        }
    }

    @Test("tables of two-byte masks and of any number of players", arguments: [12, 20, 40, 70])
    func largeTables(playerCount: Int) throws {
        let random = try RandomForest(
            seed: 1, columnsOf: Array(repeating: 1, count: playerCount), classCount: 1, leaves: [60, 40])
        // As many rows as the largest table has masks, and a block that is not full.
        let (forest, players, rows) = (random.forest, random.players, random.rows(8_200))
        let lengths = Set(try LeafPaths(forest, players: players).leaves.map(\.player_count))
        #expect(lengths.isSuperset(of: [3, 4, 5, 6, 7, 8, 9, 10]))
        let exact = try GroupedShapley(forest: forest, players: players, instructions: .portable, mostTabulated: 0)
            .values(rows: rows)
        let kernel = try MeanMagnitudes(forest: forest, players: players, instructions: .portable, mostTabulated: 0)
        let units = try kernel.units(rows: rows)
        for (unit, value) in zip(units, exact) where abs(Double(unit) * kernel.resolution - value) > 2e-7 {
            Issue.record("\(unit) units are not \(value)")
        }
        for instructions in Instructions.available {
            let values = try GroupedShapley(forest: forest, players: players, instructions: instructions)
                .values(rows: rows)
            #expect(values == exact, "\(instructions)")
            let other = try MeanMagnitudes(forest: forest, players: players, instructions: instructions)
            #expect(try other.units(rows: rows) == units, "\(instructions)")
        }
    }

    @Test("fixed point fits whatever the size of leaf values", arguments: [1e-9, 1e3, 1e12])
    func sizes(scale: Double) throws {
        let random = try RandomForest(
            seed: 7, columnsOf: [2, 2, 2], classCount: 2, leaves: [15, 15, 8, 8], scale: scale)
        let rows = random.rows(200)
        let exact = try GroupedShapley(forest: random.forest, players: random.players).values(rows: rows)
        let kernel = try MeanMagnitudes(forest: random.forest, players: random.players)
        for (unit, value) in zip(try kernel.units(rows: rows), exact) {
            #expect(abs(Double(unit) * kernel.resolution - value) <= scale * 1e-7 + 0x1p-45)
        }
    }

    @Test("sums over rows are the same by any number of threads and in blocks of any size")
    func threads() throws {
        let random = Self.forests[0]
        let (rows, width) = (random.rows(2000), random.forest.featureCount)
        let kernel = try MeanMagnitudes(forest: random.forest, players: random.players)
        let expected = try kernel.sums(rows: rows)
        #expect(expected.rowCount == 2000)
        for (threads, blockRows) in [(1, 2000), (2, 700), (3, 333), (3, 64)] {
            let total = Mutex(kernel.zero)
            let next = Mutex(0)
            DispatchQueue.concurrentPerform(iterations: threads) { _ in
                while true {
                    let first = next.withLock { next in
                        defer { next += blockRows }
                        return next
                    }
                    guard first < 2000 else { return }
                    let block = Array(rows[first * width..<min(first + blockRows, 2000) * width])
                    guard let sums = try? kernel.sums(rows: block) else { return }
                    total.withLock { $0 += sums }
                }
            }
            #expect(total.withLock { $0 } == expected, "\(threads) threads")
        }
    }

    @Test("loss-Shapley values equal brute force, and no bit hangs on instructions", arguments: [0, 1, 2, 4])
    func sage(index: Int) throws {
        let (random, count) = (Self.forests[index], 11)
        try expectSage(random.forest, random.players, rows: random.rows(count), count: count)
    }

    @Test("probabilities of nearly zero and one are clipped")
    func clipping() throws {
        let random = try RandomForest(
            seed: 3, columnsOf: [2, 1, 3], classCount: 3, leaves: Array(repeating: 12, count: 9), scale: 60)
        try expectSage(random.forest, random.players, rows: random.rows(9), count: 9)
    }

    private func expectSage(_ forest: Forest, _ players: Players, rows: [Double], count: Int) throws {
        let oracle = Oracle(forest: forest, players: players)
        let labels = (0..<count).map { $0 % forest.classCount }
        let portable = try Sage(forest: forest, players: players, instructions: .portable)
        let exact = try portable.values(rows: rows, labels: labels)
        let sampler = try Sage(forest: forest, players: players, exactPlayers: 0, instructions: .portable)
        let sampled = try sampler.values(rows: rows, labels: labels, firstRow: 5)
        for row in 0..<count {
            let own = Array(rows[row * forest.featureCount..<(row + 1) * forest.featureCount])
            let gains = oracle.gains(own, label: labels[row])
            let expected = try Shapley.shapleyValues(fromCoalitionValues: gains, playerCount: players.count)
            for (value, other) in zip(exact[(row * players.count)...], expected) { #expect(abs(value - other) <= 1e-9) }
            // Each order's players arrive one by one.
            let arrivals = sampler.arrivals(seed: 5 + row)
            for player in 0..<players.count {
                var sum = 0.0
                for order in 0..<16 {
                    let arrival = arrivals[player * 16 + order]
                    let before = (0..<players.count).reduce(0) { coalition, other in
                        arrivals[other * 16 + order] < arrival ? coalition | 1 << other : coalition
                    }
                    sum += gains[before | 1 << player] - gains[before]
                }
                #expect(abs(sampled[row * players.count + player] - sum / 16) <= 1e-9)
            }
        }
        for instructions in Instructions.available {
            let kernel = try Sage(forest: forest, players: players, instructions: instructions)
            #expect(try kernel.values(rows: rows, labels: labels) == exact, "\(instructions)")
            let other = try Sage(forest: forest, players: players, exactPlayers: 0, instructions: instructions)
            #expect(try other.values(rows: rows, labels: labels, firstRow: 5) == sampled, "\(instructions)")
        }
    }

    @Test("Gauss-Legendre rules integrate polynomials exactly")
    func quadrature() {
        let rules = GaussLegendre(upTo: 20)
        #expect(rules.points.count == 210)
        for count in 1...20 {
            let start = GaussLegendre.start(ofRule: count)
            let rule = zip(rules.points[start..<start + count], rules.weights[start..<start + count])
            for degree in 0..<2 * count {
                let integral = rule.reduce(0) { sum, node in
                    sum + node.1 * (0..<degree).reduce(1) { power, _ in power * node.0 }
                }
                #expect(abs(integral - 1 / Double(degree + 1)) <= 1e-14)
            }
        }
    }
}
