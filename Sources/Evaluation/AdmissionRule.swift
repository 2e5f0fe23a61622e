import EnsembleModel

/// A rule by which a challenger is let in. Duplicates and challengers that cannot fit the budget never reach it.
protocol AdmissionRule {
    /// Judges a challenger.
    ///
    /// - Throws: ``EvaluationError`` with code `cancelled`, or whatever fitting throws.
    func judge(_ trial: AdmissionTrial) throws -> Judgement
}

/// What a rule judges.
struct AdmissionTrial {
    let request: EvaluationRequest
    /// The model that wants in.
    let challenger: ModelVersionID
    /// The members now, in model order.
    let champion: [ModelVersionID]
    let coalitions: Coalitions
    /// Those of the sample that large validation sets are searched on.
    let searched: Coalitions
    let monitor: Monitor

    var inputs: Inputs { coalitions.inputs }
    /// Members and challenger, in model order.
    var judged: [ModelVersionID] { (champion + [challenger]).sorted() }
}

/// What a rule decided.
struct Judgement {
    var verdict: Verdict
    var reason: String
    /// In model order; the champion unless the verdict is an admission.
    var membersAfter: [ModelVersionID]
    /// The ranking that decided, best first; empty for a rule without one.
    var ranking: [Evidence.Rank] = []
    /// Utilities of the judged set that the rule computed already.
    var utilities: [UtilityScore] = []
    var search: [Evidence.SearchStep] = []
    var screen: Comparison?
    var sealed: SealedFindings?
}

/// What sealed rows said.
struct SealedFindings {
    let gate: SealedEvidence.Gate
    /// The set that was tested.
    let tested: Coalitions.Fit
    var guardrails: [SealedEvidence.Guardrail] = []
    var retirements: [SealedEvidence.Retirement] = []
    /// Loss that this evaluation's retirement gave up, in nats.
    var retiredLoss = 0.0
}

extension Policy.Admission {
    /// The rule of this name.
    var rule: any AdmissionRule {
        switch self {
        case .gated: GatedAdmission()
        case .shapleyTopK: ShapleyTopK()
        }
    }

    /// The rows whose figures an admission shows, and searches by.
    var figures: RowScope { self == .gated ? .open : .all }
}
