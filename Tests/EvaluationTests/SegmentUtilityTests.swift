import Boosting
import EnsembleModel
import Forest
import Shapley
import Testing

@testable import Evaluation

/// What models are worth by class and slice.
@Suite("Utilities by class and slice")
struct SegmentUtilityTests {
    /// The slice `hidden` has sealed rows only, `single` one open row.
    private let task: MadeUpTask
    private let candidates: [Candidate]

    init() throws {
        let plain = try MadeUpTask()
        let split = try HashSplit(plain.validation, salt: "e1")
        let hidden = try #require(split.isOpen.firstIndex(of: false))
        let single = try #require(split.isOpen.firstIndex(of: true))
        task = try MadeUpTask { row in
            row == hidden ? "hidden" : row == single ? "single" : row % 6 < 2 ? "jp" : "us"
        }
        candidates = [
            try task.candidate("fair", skill: 0.5), try task.candidate("good", skill: 0.8, missingEvery: 9),
            try task.candidate("strong", skill: 1.2),
        ]
    }

    @Test("are those of open rows under the gate, and say where there are no rows")
    func evaluation() throws {
        let policy = Policy(preset: .standard, budget: Budget(members: 3))
        let request = task.admission(of: candidates[2], to: Array(candidates.prefix(2)), policy: policy)
        let evidence = try Evaluator(library: .load()).evaluate(request).evidence
        let segments = try #require(evidence.segments)
        let names = segments.map { "\($0.kind.rawValue) \($0.name)" }
        #expect(names == ["class a", "class b", "class c"] + ["hidden", "jp", "single", "us"].map { "slice \($0)" })
        let open = try HashSplit(task.validation, salt: "e1").isOpen.count { $0 }
        #expect(evidence.figures == .open && evidence.split.openRows == open)
        for kind in Evidence.Segment.Kind.allCases {
            let own = segments.filter { $0.kind == kind }
            #expect(own.reduce(0) { $0 + $1.rowCount } == open)
            // Together they are what the models are worth over all open rows.
            for score in evidence.utilities where score.kind == .shapleySigned {
                let sum = own.reduce(0.0) { sum, segment in
                    sum + Double(segment.rowCount) * (segment.scores.first { $0.model == score.model }?.value ?? 0)
                }
                #expect(abs(sum / Double(open) - score.value) <= 1e-9, "\(kind), \(score.model)")
            }
        }
        for segment in segments {
            let isEmpty = segment.name == "hidden"
            #expect((segment.rowCount == 0) == isEmpty)
            #expect(segment.scores.map(\.model) == (isEmpty ? [] : candidates.map(\.id)))
            #expect(segment.scores.allSatisfy { $0.kind == .shapleySigned && $0.value.isFinite })
            #expect(segment.scores.allSatisfy { ($0.standardError == nil) == (segment.rowCount == 1) })
        }
    }

    @Test("equal the means of the rows' own values, with errors over blocks of groups")
    func definition() throws {
        let request = task.founding(candidates, policy: Policy(preset: .standard))
        let monitor = Monitor(report: { _ in }, isCancelled: { false })
        let settings = Coalitions.Settings(
            preset: .standard, scope: .all, library: try .load(), threads: 1, cache: FitCache(capacityBytes: 0),
            searchedRows: .max)
        let coalitions = try Coalitions(Inputs(request), settings: settings, monitor: monitor)
        let (inputs, validation) = (coalitions.inputs, task.validation)
        let fit = try coalitions.fit(inputs.models)
        let models = try coalitions.models(of: fit)
        let segments = try HeldOutUtility(inputs, members: fit.members).segments(
            models, over: inputs.rows(.all), slices: ["us", "nowhere"], monitor: monitor)
        #expect(segments.map(\.name) == ["a", "b", "c", "us", "nowhere"])
        #expect(segments.last?.rowCount == 0 && segments.last?.scores == [])

        var values = [[Double]](repeating: [], count: validation.rowCount)
        for (fold, model) in models.enumerated() {
            let kernel = try GroupedShapley(forest: model.forest, players: Players(count: 3, columnsEach: 3))
            for row in values.indices where inputs.split.folds[row] == fold {
                let phi = try kernel.values(rows: inputs.columns(of: fit.members, rows: [row]))
                values[row] = (0..<3).map { member in
                    let own = phi[validation.labels[row] * 3 + member]
                    return own - ((0..<3).reduce(0) { $0 + phi[$1 * 3 + member] } - own) / 2
                }
            }
        }
        for (segment, isIn) in zip(
            segments,
            [
                { validation.labels[$0] == 0 }, { validation.labels[$0] == 1 }, { validation.labels[$0] == 2 },
                { validation.sliceNames[validation.slices[$0]] == "us" },
            ] as [(Int) -> Bool])
        {
            let rows = values.indices.filter(isIn)
            #expect(segment.rowCount == rows.count)
            for (member, score) in segment.scores.enumerated() {
                let mean = rows.reduce(0) { $0 + values[$1][member] } / Double(rows.count)
                #expect(abs(score.value - mean) <= 1e-12)
                let blocks = Dictionary(grouping: rows) { [inputs.split.folds[$0], validation.groups[$0] % 8] }
                let squares = blocks.values.reduce(0) { sum, rows in
                    let deviation = rows.reduce(0) { $0 + values[$1][member] - mean }
                    return sum + deviation * deviation
                }
                let count = Double(blocks.count)
                let error = (count / (count - 1) * squares).squareRoot() / Double(rows.count)
                #expect(abs(try #require(score.standardError) - error) <= 1e-12)
            }
        }
    }

    @Test("the largest slices are looked at, none where all rows are of one")
    func slices() throws {
        // 200 groups: the first ten slices have two groups each, the others one.
        let many = try MadeUpTask { row in "s\(1000 + (row / 2 < 20 ? row / 4 : row / 2))" }
        func slices(_ task: MadeUpTask) throws -> [String] {
            let policy = Policy(preset: .standard)
            let outcome = try Evaluator(library: .load()).evaluate(
                task.founding([task.candidate("good", skill: 0.8)], policy: policy))
            return try #require(outcome.evidence.segments).filter { $0.kind == .slice }.map(\.name)
        }
        let largest = try slices(many)
        #expect(largest.count == Evidence.Segment.maximumSlices)
        #expect(largest.prefix(11) == ((1000..<1010).map { "s\($0)" } + ["s1020"])[...])
        #expect(try slices(MadeUpTask()) == [])
    }
}
