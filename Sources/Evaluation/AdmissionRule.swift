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
    /// The model that wants in.
    let challenger: ModelVersionID
    /// The members now, in model order.
    let champion: [ModelVersionID]
    let inputs: Inputs
    let coalitions: Coalitions
    let monitor: Monitor

    /// Members and challenger, in model order.
    var judged: [ModelVersionID] { (champion + [challenger]).sorted() }
}

/// What a rule decided.
struct Judgement {
    let verdict: Verdict
    let reason: String
    /// In model order; the champion unless the verdict is an admission.
    let membersAfter: [ModelVersionID]
    /// The ranking that decided, best first; empty for a rule without one.
    let ranking: [Evidence.Rank]
    /// Utilities of the judged set that the rule computed already.
    let utilities: [UtilityScore]
}

extension Policy.Admission {
    /// The rule of this name.
    var rule: any AdmissionRule {
        switch self {
        case .shapleyTopK: ShapleyTopK()
        }
    }
}
