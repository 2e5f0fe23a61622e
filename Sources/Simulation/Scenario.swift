/// The setting of a simulation: how many of which submissions meet a rule, and on which rows.
public struct Scenario: Sendable {
    /// Where the rows come from.
    public enum Source: Sendable {
        case generated(GeneratedRows)
        case own(OwnRows)
    }

    /// Most truly better submissions in a run.
    public static let mostBetter = 20
    /// Truly better challengers come when the adversary has begun.
    static let firstBetterPosition = 5
    /// A run takes about 1.5 KB of memory a row of four classes.
    static let maximumRows = 200_000

    /// Submissions in a run.
    public var submissions: Int
    /// How many of them are truly better; the others are useless.
    public var trulyBetter: Int
    /// Standard deviation of a useless challenger's noise, in logits.
    public var noise: Double
    /// Picks all draws; each run has its own.
    public var seed: UInt64
    /// The rows.
    public var source: Source

    /// Creates a setting; the defaults are the documented ones.
    public init(
        submissions: Int = 200, trulyBetter: Int = 20, noise: Double = 0.05, seed: UInt64 = 1,
        source: Source = .generated(GeneratedRows())
    ) {
        self.submissions = submissions
        self.trulyBetter = trulyBetter
        self.noise = noise
        self.seed = seed
        self.source = source
    }

    /// Checks the ranges of all settings.
    ///
    /// - Throws: ``SimulationError`` with code `invalidScenario` naming the setting.
    public func validate() throws(SimulationError) {
        try Self.check("submissions", submissions, in: 1...10_000)
        try Self.check("truly better submissions", trulyBetter, in: 0...Self.mostBetter)
        try Self.check("noise", noise, in: 1e-6...10)
        guard trulyBetter == 0 || trulyBetter <= submissions - Self.firstBetterPosition else {
            throw SimulationError(
                .invalidScenario,
                "\(trulyBetter) truly better submissions need \(trulyBetter + Self.firstBetterPosition) or more in "
                    + "all, not \(submissions)")
        }
        if case .generated(let rows) = source { try rows.validate() }
    }

    /// The rows and challengers of a run.
    func world(run: Int) throws(SimulationError) -> World {
        var random = RandomSource(seed: seed, run: run, stream: 0)
        return switch source {
        case .generated(let rows): try rows.world(&random)
        case .own(let rows): rows.world(&random)
        }
    }

    static func check<Value: Comparable>(
        _ name: String, _ value: Value, in range: ClosedRange<Value>
    ) throws(SimulationError) {
        guard range.contains(value) else {
            throw SimulationError(
                .invalidScenario,
                "\(name): \(value) is not between \(range.lowerBound) and \(range.upperBound)")
        }
    }
}
