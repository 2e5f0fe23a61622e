import Boosting
import EnsembleModel
import Testing

@testable import Evaluation

/// What a verdict must not hang on.
@Suite("Invariance")
struct InvarianceTests {
    private let task: MadeUpTask
    private let champion: [Candidate]

    /// Members may be made obsolete at once and the budget forces a search: every part of the engine has its say.
    private let policy = Policy(
        budget: Budget(members: 3), retirement: Policy.Retirement(alpha: 0.5, lossIncrease: 1, totalLoss: 1, tenure: 0))

    init() throws {
        task = try MadeUpTask()
        champion = [
            try task.candidate("good", skill: 0.7), try task.candidate("fair", skill: 0.4, missingEvery: 50),
            try task.candidate("weak", skill: 0.25),
        ]
    }

    private func evaluate(
        _ request: EvaluationRequest, threads: Int = 1, cache: FitCache = FitCache(capacityBytes: 0)
    ) throws -> EvaluationOutcome {
        try Evaluator(library: .load(), threads: threads, cache: cache).evaluate(request)
    }

    /// A strong challenger, a weak one, and one that no open row speaks for.
    private func requests(_ policy: Policy) throws -> [EvaluationRequest] {
        try [("strong", 1.2), ("slight", 0.3), ("noise", 0)].map { name, skill in
            task.admission(of: try task.candidate(name, skill: skill), to: champion, policy: policy)
        }
    }

    @Test("the order in which rows and candidates come changes no bit")
    func order() throws {
        let rows = task.validation.rowIDs.indices.map { row in
            ValidationSet.Row(
                id: task.validation.rowIDs[row], label: task.validation.labels[row],
                group: task.validation.groupNames[task.validation.groups[row]])
        }
        // 7 shares no factor with the number of rows: a permutation.
        let shuffled = rows.indices.map { rows[$0 * 7 % rows.count] }
        for request in try requests(policy) {
            let expected = try evaluate(request)
            var other = request
            other.validation = try ValidationSet(classes: task.validation.classes, rows: shuffled)
            other.candidates = [1, 3, 0, 2].map { request.candidates[$0] }
            other.champion = Array(request.champion.reversed())
            let outcome = try evaluate(other)
            #expect(try outcome.evidence.digest == expected.evidence.digest)
            #expect(try outcome.sealed?.digest == expected.sealed?.digest)
            #expect(outcome == expected)
        }
        let founding = task.founding(champion, policy: Policy(preset: .standard))
        var other = founding
        other.candidates.reverse()
        #expect(try evaluate(other) == evaluate(founding))
    }

    @Test("threads and a cache of fits change no bit")
    func threadsAndCache() throws {
        let cache = FitCache(capacityBytes: 1 << 28)
        for request in try requests(policy) {
            let expected = try evaluate(request)
            for threads in [1, 2] {
                // The second one finds all its fits in the cache.
                let outcome = try evaluate(request, threads: threads, cache: cache)
                #expect(try outcome.evidence.digest == expected.evidence.digest, "\(threads) threads")
                #expect(outcome == expected, "\(threads) threads")
            }
            #expect(try evaluate(request, threads: 2) == expected)
        }
    }

    @Test(
        "classes in another order, with their columns, give the same verdict and figures",
        arguments: [[1, 2, 0], [2, 1, 0]])
    func classes(order: [Int]) throws {
        let validation = try ValidationSet(
            classes: order.map { task.validation.classes[$0] },
            rows: task.validation.rowIDs.indices.map { row in
                ValidationSet.Row(
                    id: task.validation.rowIDs[row],
                    label: try #require(order.firstIndex(of: task.validation.labels[row])),
                    group: task.validation.groupNames[task.validation.groups[row]])
            })
        for request in try requests(policy) {
            let expected = try evaluate(request)
            var other = request
            other.validation = validation
            for index in other.candidates.indices {
                let predictions = other.candidates[index].predictions
                other.candidates[index].predictions = try Predictions(
                    values: (0..<predictions.rowCount).flatMap { row in order.map { predictions[row: row, class: $0] }
                    },
                    classCount: order.count)
            }
            let outcome = try evaluate(other)
            #expect(outcome.verdict == expected.verdict)
            #expect(outcome.membersAfter == expected.membersAfter)
            #expect(outcome.ledger == expected.ledger)
            expectClose(figures(outcome), figures(expected))
        }
    }

    /// Every figure of an outcome by its place.
    private func figures(_ outcome: EvaluationOutcome) -> [(String, Double)] {
        let evidence = outcome.evidence
        var figures = evidence.tried.map { ("\($0.members)", $0.logLoss) }
        figures += outcome.utilities.map { ("\($0.kind) \($0.model)", $0.value) }
        func add(_ rows: [MetricsRow], _ scope: String) {
            for row in rows {
                let name = "\(scope) \(row.subject) \(row.model?.name ?? "")"
                let metrics = row.metrics
                figures += [metrics.accuracy, metrics.macroF1, metrics.weightedF1, metrics.logLoss].map { (name, $0) }
            }
        }
        add(evidence.metrics, "open")
        if let screen = evidence.screen { figures += [("gain", screen.gain), ("error", screen.standardError)] }
        guard let sealed = outcome.sealed else { return figures }
        add(sealed.metrics, "sealed")
        figures += [("sealed gain", sealed.gate.comparison.gain), ("z", sealed.gate.comparison.z)]
        figures += sealed.guardrails.flatMap { [("\($0.kind)", $0.before ?? 0), ("\($0.kind)", $0.after)] }
        figures += sealed.retirements.map { ("\($0.model)", $0.upperBound) }
        return figures
    }

    private func expectClose(_ found: [(String, Double)], _ expected: [(String, Double)]) {
        #expect(found.map(\.0) == expected.map(\.0))
        for (found, expected) in zip(found, expected) {
            #expect(abs(found.1 - expected.1) < 1e-9, "\(found.0): \(found.1) is not \(expected.1)")
        }
    }

    @Test("a copy of a member, exact or but for its last bits, changes no membership under any rule or budget")
    func copies() throws {
        var policies = [policy, Policy(), Policy(admission: .shapleyTopK), Policy(budget: Budget(members: 3))]
        policies.append(Policy(admission: .shapleyTopK, budget: Budget(members: 3)))
        for member in champion {
            let nudged = try Predictions(
                values: member.predictions.values.map { $0.isNaN ? $0 : $0.nextUp }, classCount: 3)
            for policy in policies {
                for predictions in [member.predictions, nudged] {
                    // Names before and after the member's in model order.
                    for name in ["a-copy@1", "z-copy@1"] {
                        let copy = Candidate(id: try ModelVersionID(name), predictions: predictions)
                        let outcome = try evaluate(task.admission(of: copy, to: champion, policy: policy))
                        #expect(outcome.verdict == .rejectDuplicate, "\(outcome.reason)")
                        #expect(outcome.membersAfter == outcome.membersBefore)
                        #expect(outcome.ledger == Ledger(), "a duplicate spends nothing and is no evaluation")
                        #expect(outcome.sealed == nil)
                    }
                }
            }
        }
    }

    @Test("a model that has the labels is admitted and flagged, others are not flagged")
    func leak() throws {
        let values = task.validation.labels.flatMap { label in (0..<3).map { $0 == label ? Float(0.98) : 0.01 } }
        let oracle = Candidate(
            id: try ModelVersionID("oracle@1"), predictions: try Predictions(values: values, classCount: 3))
        for policy in [Policy(), Policy(admission: .shapleyTopK)] {
            // Where members err on fewer than 20 open rows nothing can be said.
            let members = champion.filter { $0.id.name != "good" }
            let outcome = try evaluate(task.admission(of: oracle, to: members, policy: policy))
            #expect(outcome.verdict.isAdmission, "\(outcome.reason)")
            #expect(outcome.membersAfter.contains(oracle.id))
            #expect(outcome.evidence.warnings.contains { $0.kind == .suspectedLeak }, "\(outcome.evidence.warnings)")
            #expect(outcome.reason.contains("have a person check"))
        }
        for request in try requests(Policy()) {
            #expect(!(try evaluate(request).evidence.warnings.contains { $0.kind == .suspectedLeak }))
        }
    }
}
