import Boosting
import EnsembleModel
import Evaluation
import Testing

/// What sealed rows said must not show in anything that is open: neither while an evaluation runs nor in its evidence.
@Suite("Secrecy of sealed rows")
struct SecrecyTests {
    /// An admission whose gate, guardrails or retirement are then made to say one thing or the other.
    struct Case: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var policy: Policy
        /// The verdict with a gate and guardrails that let everybody pass.
        var admitted: Verdict
    }

    private static var lenient: Policy {
        var policy = Policy(budget: Budget(members: 4))
        policy.gate.minimumGain = 0
        policy.guardrails.populationStability = 100
        policy.guardrails.macroF1Drop = 1
        policy.guardrails.brierZ = 10
        policy.guardrails.calibrationLimit = 1
        policy.guardrails.sliceLoss = 10
        return policy
    }

    private static func policy(_ change: (inout Policy) -> Void) -> Policy {
        var policy = lenient
        change(&policy)
        return policy
    }

    static let cases = [
        Case(testDescription: "there is room", policy: lenient, admitted: .admit),
        Case(
            testDescription: "a member has to leave", policy: policy { $0.budget.members = 3 }, admitted: .admitRetire),
        Case(
            testDescription: "members may be made obsolete, none is",
            policy: policy { ($0.retirement.tenure, $0.retirement.lossIncrease) = (0, 0) }, admitted: .admit),
        Case(
            testDescription: "a member is made obsolete",
            policy: policy { $0.retirement = .init(alpha: 0.5, lossIncrease: 1, totalLoss: 1, tenure: 0) },
            admitted: .admitRetire),
    ]

    private func evaluate(_ policy: Policy) throws -> (outcome: EvaluationOutcome, reports: [EvaluationProgress]) {
        let task = try MadeUpTask()
        let champion = [
            try task.candidate("good", skill: 0.7), try task.candidate("fair", skill: 0.4),
            try task.candidate("weak", skill: 0.25),
        ]
        let request = task.admission(of: try task.candidate("strong", skill: 1.2), to: champion, policy: policy)
        var reports: [EvaluationProgress] = []
        let outcome = try Evaluator(library: .load()).evaluate(request, progress: { reports.append($0) })
        return (outcome, reports)
    }

    @Test("progress and open evidence are the same whatever the sealed rows say, but for the verdict", arguments: cases)
    func theVerdictIsAllThatShows(_ example: Case) throws {
        let admitted = try evaluate(example.policy)
        #expect(admitted.outcome.verdict == example.admitted, "\(admitted.outcome.reason)")
        var closedGate = example.policy
        closedGate.gate.minimumGain = 1
        var closedGuardrail = example.policy
        closedGuardrail.guardrails.populationStability = 0
        let refusals = [(closedGate, Verdict.rejectNoGain), (closedGuardrail, .rejectGuardrail)]
        for (policy, verdict) in refusals {
            let refused = try evaluate(policy)
            #expect(refused.outcome.verdict == verdict, "\(refused.outcome.reason)")
            #expect(refused.reports.count == admitted.reports.count)
            #expect(refused.reports == admitted.reports)
            try expectSameOpenFigures(refused.outcome.evidence, admitted.outcome.evidence)
            #expect(refused.outcome.sealed?.gate.comparison == admitted.outcome.sealed?.gate.comparison)
        }
    }

    /// Everything but the verdict, what follows from it, and the policy that brought it about.
    private func expectSameOpenFigures(_ refused: Evidence, _ admitted: Evidence) throws {
        #expect(refused.commitment != nil && refused.commitment != admitted.commitment)
        #expect(refused.ledgerAfter.tests == admitted.ledgerAfter.tests)
        #expect(refused.ledgerAfter.alphaSpent == admitted.ledgerAfter.alphaSpent)
        #expect(refused.ledgerAfter.submitterTests == admitted.ledgerAfter.submitterTests)
        var expected = admitted
        expected.policy = refused.policy
        expected.verdict = refused.verdict
        expected.reason = refused.reason
        expected.membersAfter = refused.membersAfter
        expected.warnings = refused.warnings
        expected.ledgerAfter = refused.ledgerAfter
        expected.foldModels = refused.foldModels
        expected.combiner = refused.combiner
        expected.commitment = refused.commitment
        let after = try #require(expected.metrics.indices.last { expected.metrics[$0].subject == .ensemble })
        expected.metrics[after] = try #require(refused.metrics.last { $0.subject == .ensemble })
        #expect(refused == expected)
        // The ensemble after a refusal is the champion, as it was measured before.
        let champion = try #require(refused.metrics.first { $0.subject == .champion })
        #expect(expected.metrics[after].metrics == champion.metrics)
    }

    @Test("no figure of sealed rows is in the open evidence, nor in the reason")
    func figuresAreApart() throws {
        let outcome = try evaluate(Self.cases[3].policy).outcome
        let sealed = try #require(outcome.sealed)
        #expect(!sealed.guardrails.isEmpty && !sealed.retirements.isEmpty)
        let open = Doubles(try CanonicalValue(encoding: outcome.evidence))
        var hidden = Doubles(try CanonicalValue(encoding: sealed)).bits
        // What is known from the policy and the number of groups, and figures that many things have.
        for known in [sealed.gate.alpha, sealed.gate.quantile, 0, 1] { hidden.remove(known.bitPattern) }
        #expect(hidden.count > 40)
        #expect(open.bits.intersection(hidden).map { Double(bitPattern: $0) } == [])
    }
}

/// The doubles of a canonical value: texts of 16 hexadecimal digits.
private struct Doubles {
    private(set) var bits: Set<UInt64> = []

    init(_ value: CanonicalValue) { collect(value) }

    private mutating func collect(_ value: CanonicalValue) {
        switch value {
        case .string(let text) where text.utf8.count == 16:
            if let number = UInt64(text, radix: 16) { bits.insert(number) }
        case .array(let values): for value in values { collect(value) }
        case .object(let members): for value in members.values { collect(value) }
        default: break
        }
    }
}
