/// What an ensemble has spent and remembers in an epoch. Cool-downs bind model names, quotas submitters.
///
/// The loss given up by retirements is kept beside it: that figure is of sealed rows.
public struct Ledger: Hashable, Sendable, Codable {
    /// Gate tests made.
    public var tests: Int
    /// Error probability these tests spent together.
    public var alphaSpent: Double
    /// Gate tests by submitter.
    public var submitterTests: [String: Int]
    /// Completed evaluations: all but duplicates and holds. The clock of tenures and cool-downs.
    public var evaluations: Int
    /// Admissions since the founding.
    public var promotions: Int
    /// Model name to the last number of completed evaluations at which it is held.
    public var coolDowns: [String: Int]
    /// Member to the number of evaluations completed when it joined.
    public var tenures: [String: Int]

    /// Creates a ledger; the defaults are those of a new epoch.
    public init(
        tests: Int = 0, alphaSpent: Double = 0, submitterTests: [String: Int] = [:], evaluations: Int = 0,
        promotions: Int = 0, coolDowns: [String: Int] = [:], tenures: [String: Int] = [:]
    ) {
        self.tests = tests
        self.alphaSpent = alphaSpent
        self.submitterTests = submitterTests
        self.evaluations = evaluations
        self.promotions = promotions
        self.coolDowns = coolDowns
        self.tenures = tenures
    }

    enum CodingKeys: String, CodingKey, CaseIterable {
        case tests, evaluations, promotions, tenures
        case alphaSpent = "alpha_spent"
        case submitterTests = "submitter_tests"
        case coolDowns = "cool_downs"
    }
}

extension Ledger {
    /// Gate tests left under a gate's switches; a changed alpha or number of tests counts for what is left of alpha.
    public func testsLeft(_ gate: Policy.Gate) -> Int {
        // Sums of equal parts miss the whole by rounding; a thousandth of a part is far below any meaning.
        let affordable = ((gate.alpha - alphaSpent) / gate.alphaPerTest + 1e-3).rounded(.down)
        return max(0, min(gate.testsPerEpoch - tests, Int(max(0, affordable))))
    }

    /// Gate tests that one submitter has left, by a quota of their own and the epoch's.
    public func testsLeft(_ gate: Policy.Gate, submitter: String) -> Int {
        let own = gate.testsPerSubmitter.map { max(0, $0 - submitterTests[submitter, default: 0]) } ?? .max
        return min(own, testsLeft(gate))
    }

    /// Whether a model of this name is held now.
    public func isCoolingDown(_ model: ModelVersionID) -> Bool {
        coolDowns[model.name].map { $0 >= evaluations } ?? false
    }

    /// Model names that are held now, with the evaluations to be completed before they are judged again.
    public var coolDownsLeft: [String: Int] {
        coolDowns.filter { $0.value >= evaluations }.mapValues { $0 + 1 - evaluations }
    }

    /// Completed evaluations since a member joined; all of them for one whose joining is not on record.
    public func tenure(of member: ModelVersionID) -> Int { evaluations - tenures[member.description, default: 0] }

    /// Books a gate test.
    public mutating func spendTest(_ gate: Policy.Gate, submitter: String) {
        tests += 1
        alphaSpent += gate.alphaPerTest
        submitterTests[submitter, default: 0] += 1
    }

    /// Books a founding by search, which is no evaluation of a newcomer.
    public mutating func found(_ members: [ModelVersionID]) {
        tenures = Dictionary(uniqueKeysWithValues: members.map { ($0.description, evaluations) })
    }

    /// Books the return of an earlier champion: who comes back has no tenure.
    public mutating func rollBack(from before: [ModelVersionID], to after: [ModelVersionID]) {
        for left in before where !after.contains(left) { tenures[left.description] = nil }
        for joined in after where !before.contains(joined) { tenures[joined.description] = evaluations }
    }

    /// Books the end of an admission evaluation: who joined and left under which verdict.
    public mutating func complete(
        _ verdict: Verdict, before: [ModelVersionID], after: [ModelVersionID], coolDown: Int
    ) {
        if verdict.isAdmission { change(before, to: after, coolDown: coolDown, at: evaluations) }
        tick(verdict)
    }

    /// Books the end of an evaluation whose admission waits for people's approval: as a rejection's, so that nobody
    /// has looked at sealed rows for nothing. ``approve(before:after:coolDown:)`` may follow.
    public mutating func completeWaiting(_ verdict: Verdict) { tick(verdict) }

    /// Books the change of membership that people have approved: who left is held, and who joined is a member, from
    /// the newest completed evaluation on. Where no other was completed meanwhile, that comes to what
    /// ``complete(_:before:after:coolDown:)`` books.
    public mutating func approve(before: [ModelVersionID], after: [ModelVersionID], coolDown: Int) {
        change(before, to: after, coolDown: coolDown, at: evaluations - 1)
        coolDowns = coolDowns.filter { $0.value >= evaluations }
    }

    private mutating func change(
        _ before: [ModelVersionID], to after: [ModelVersionID], coolDown: Int, at clock: Int
    ) {
        for left in before where !after.contains(left) {
            tenures[left.description] = nil
            coolDowns[left.name] = clock + coolDown
        }
        for joined in after where !before.contains(joined) {
            tenures[joined.description] = clock
            coolDowns[joined.name] = nil
        }
        if !before.isEmpty { promotions += 1 }
    }

    private mutating func tick(_ verdict: Verdict) {
        if verdict.completesEvaluation { evaluations += 1 }
        coolDowns = coolDowns.filter { $0.value >= evaluations }
    }
}
