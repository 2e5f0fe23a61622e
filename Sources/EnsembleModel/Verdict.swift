/// The outcome of an evaluation.
public enum Verdict: String, Hashable, Sendable, Codable, CaseIterable {
    /// The challenger joins; nobody leaves.
    case admit = "ADMIT"
    /// The challenger joins and at least one member leaves.
    case admitRetire = "ADMIT_RETIRE"
    /// The challenger's predictions are those of a member.
    case rejectDuplicate = "REJECT_DUPLICATE"
    /// No set with the challenger fits the budget.
    case rejectBudget = "REJECT_BUDGET"
    /// The ensemble is not better with the challenger.
    case rejectNoGain = "REJECT_NO_GAIN"

    /// Whether the challenger enters the ensemble.
    public var isAdmission: Bool { self == .admit || self == .admitRetire }
}

/// Why a champion changed.
public enum PromotionKind: String, Hashable, Sendable, Codable, CaseIterable {
    case founding
    case admit
    case admitRetire = "admit_retire"
}
