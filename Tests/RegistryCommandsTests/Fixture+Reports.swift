import EnsembleModel
import Foundation

@testable import RegistryCommands

/// Decisions with their evidence as a registry would give them, with the reasons that the engine writes.
extension Fixture {
    static func models(_ names: String...) throws -> [ModelVersionID] {
        try names.map { try ModelVersionID("\($0)@1") }
    }

    private static func figures(_ loss: Double) -> ClassificationMetrics {
        ClassificationMetrics(accuracy: 0.9 - loss / 4, macroF1: 0.8 - loss / 4, weightedF1: 0.85, logLoss: loss)
    }

    private static func metrics(_ losses: [(String, Double)]) throws -> [MetricsRow] {
        try losses.map { name, loss in
            guard let subject = MetricsRow.Subject(rawValue: name) else {
                return MetricsRow(subject: .model, model: try ModelVersionID("\(name)@1"), metrics: figures(loss))
            }
            return MetricsRow(subject: subject, metrics: figures(loss))
        }
    }

    private static let openLosses = [
        ("b", 0.52), ("c", 0.61), ("new", 0.5), ("average", 0.49), ("class_prior", 1.0986), ("champion", 0.455),
        ("ensemble", 0.455),
    ]

    /// A report on `new@1` offered to the champion `b@1 c@1`, refused before any test until `change` says otherwise.
    static func report(
        _ verdict: Verdict, _ reason: String, policy: Policy = Policy(),
        _ change: (inout Evidence) throws -> Void = { _ in }
    ) throws -> DecisionReport {
        let ledger = Ledger(tests: 3, alphaSpent: 0.003, submitterTests: ["sam": 1], evaluations: 7)
        var evidence = Evidence(
            kind: .admission, challenger: try ModelVersionID("new@1"), validation: .of("v"), epochSalt: "salt",
            rowCount: 5000, groupCount: 1000,
            split: .init(openRows: 1250, openGroups: 250, sealedRows: 3750, sealedGroups: 750, searchedRows: 5000),
            figures: .open, submitter: "sam",
            inputs: try models("b", "c", "new").map { .init(model: $0, predictions: .of("\($0)"), cost: ModelCost()) },
            policy: policy, policyVersion: 2, library: .init(name: "LightGBM", version: "4.7.0", sha256: .of("l")),
            preset: .small, presetLosses: [:], closeness: [], tried: [], search: [], screen: nil, quantile: nil,
            ranking: [], membersBefore: try models("b", "c"), membersAfter: try models("b", "c"), verdict: verdict,
            reason: reason, warnings: [], ledgerBefore: ledger, ledgerAfter: ledger, metrics: try metrics(openLosses),
            utilities: try models("b", "c", "new").map { UtilityScore(model: $0, kind: .sage, value: 0.25) },
            foldModels: [], combiner: nil, commitment: nil)
        try change(&evidence)
        if !evidence.warnings.isEmpty {
            evidence.reason = ([reason] + evidence.warnings.map(\.message)).joined(separator: "; ")
        }
        let decision = DecisionRecord(
            id: 9, ensemble: "e", kind: evidence.kind, evaluation: 7,
            submission: evidence.challenger.map { _ in 5 }, model: evidence.challenger, verdict: verdict,
            reason: evidence.reason, admission: policy.admission, policyVersion: 2, preset: .small,
            membersBefore: evidence.membersBefore, membersAfter: evidence.membersAfter,
            retired: evidence.membersBefore.filter { !evidence.membersAfter.contains($0) },
            warnings: evidence.warnings, metrics: evidence.metrics, utilities: evidence.utilities,
            evidence: try evidence.digest, sequence: verdict.isAdmission ? 4 : nil, decidedAt: date)
        return DecisionReport(decision: decision, evidence: evidence)
    }

    /// A report after a gate test.
    static func tested(
        _ verdict: Verdict, _ reason: String, policy: Policy = Policy(), after: [ModelVersionID]? = nil,
        sealed: SealedEvidence? = nil, _ change: (inout Evidence) throws -> Void = { _ in }
    ) throws -> DecisionReport {
        var report = try report(verdict, reason, policy: policy) { evidence in
            evidence.screen = Comparison(gain: 0.0151, standardError: 0.0043)
            evidence.quantile = 3.1048
            evidence.ledgerAfter.spendTest(policy.gate, submitter: "sam")
            evidence.commitment = try sealed?.digest ?? .of("sealed")
            if let after {
                evidence.membersAfter = after
                evidence.metrics = try metrics(Array(openLosses.dropLast()) + [("ensemble", 0.4399)])
            }
            try change(&evidence)
        }
        report.sealed = sealed
        return report
    }

    /// What three models are worth on the rows of three classes, one of which has none, and of two slices.
    static func segments() throws -> [Evidence.Segment] {
        let parts: [(Evidence.Segment.Kind, String, Int)] = [
            (.class, "Exact", 800), (.class, "Substitute", 450), (.class, "Complement", 0), (.slice, "jp", 250),
            (.slice, "us", 1000),
        ]
        return try parts.map { kind, name, rows in
            let scores = try models("b", "c", "new").enumerated().map { index, model in
                UtilityScore(
                    model: model, kind: .shapleySigned, value: Double(index * 300 + rows) / 4000 - 0.05,
                    standardError: 0.0123)
            }
            return Evidence.Segment(kind: kind, name: name, rowCount: rows, scores: rows > 0 ? scores : [])
        }
    }

    /// A search that had to leave one member out.
    static func search() throws -> [Evidence.SearchStep] {
        let all = try models("b", "c", "new")
        let options = [
            Evidence.TriedSet(members: try models("c", "new"), logLoss: 0.47, fittedRows: 5000),
            Evidence.TriedSet(members: try models("b", "new"), logLoss: 0.4399, fittedRows: 5000),
        ]
        return [
            Evidence.SearchStep(move: .exhaustive, from: all, sage: [], options: options, chosen: options[1].members)
        ]
    }

    static func sealed(refusing kind: SealedEvidence.Guardrail.Kind? = nil) throws -> SealedEvidence {
        func guardrail(
            _ kind_: SealedEvidence.Guardrail.Kind, _ before: Double?, _ after: Double, error: Double? = nil
        ) -> SealedEvidence.Guardrail {
            .init(
                kind: kind_, slice: kind_ == .sliceLoss ? "uk" : nil, before: before, after: after,
                standardError: error,
                passed: kind_ != kind)
        }
        return SealedEvidence(
            nonce: .of("nonce"),
            gate: .init(
                comparison: Comparison(gain: 0.0123, standardError: 0.0025), alpha: 0.001, quantile: 3.1048,
                minimumGain: 0.0023, championLoss: 0.46),
            guardrails: [
                guardrail(.sliceLoss, 0.51, 0.5, error: 0.003), guardrail(.brierScore, 0.3, 0.29, error: 0.002),
                guardrail(.calibration, 0.02, 0.021), guardrail(.macroF1, 0.7, 0.71),
                guardrail(.populationStability, nil, 0.01),
            ],
            retirements: try models("b", "c").map {
                .init(
                    model: $0, lossIncrease: $0.name == "c" ? 0.0001 : 0.02, standardError: 0.0004,
                    upperBound: $0.name == "c" ? 0.0009 : 0.0208, isObsolete: $0.name == "c")
            },
            losses: [
                .init(members: try models("b", "c"), logLoss: 0.46, fittedRows: 5000),
                .init(members: try models("b", "c", "new"), logLoss: 0.4477, fittedRows: 5000),
            ],
            metrics: try metrics([("b", 0.53), ("average", 0.5), ("champion", 0.46), ("ensemble", 0.4477)]),
            retiredLossBefore: 0, retiredLossAfter: 0.0001)
    }

    static func founding(_ verdict: Verdict, _ reason: String, founded: [ModelVersionID]) throws -> DecisionReport {
        try report(verdict, reason) { evidence in
            evidence.kind = .founding
            evidence.challenger = nil
            evidence.figures = .all
            evidence.membersBefore = []
            evidence.membersAfter = founded
            evidence.ledgerBefore = Ledger()
            evidence.ledgerAfter = Ledger()
            evidence.presetLosses = ["standard": 0.4624, "small": 0.4502]
            evidence.tried = [
                .init(members: try models("b", "c", "new"), logLoss: 0.4502, fittedRows: 5000),
                .init(members: try models("b", "new"), logLoss: 0.4511, fittedRows: 5000),
            ]
            evidence.metrics.removeAll { $0.subject == .champion || founded.isEmpty && $0.subject == .ensemble }
        }
    }

    static func ranked(_ verdict: Verdict, _ reason: String, kept: Set<String>) throws -> DecisionReport {
        let policy = Policy(admission: .shapleyTopK, budget: Budget(members: 2))
        return try report(verdict, reason, policy: policy) { evidence in
            evidence.figures = .all
            evidence.ranking = try zip(models("new", "b", "c"), [1.5, 0.75, 0.5]).map {
                .init(model: $0, value: $1, kept: kept.contains($0.name))
            }
            if verdict.isAdmission { evidence.membersAfter = try models("b", "new") }
        }
    }
}
