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
    /// The ensemble would be better, but something that is watched would be worse.
    case rejectGuardrail = "REJECT_GUARDRAIL"
    /// The model was dropped too short a time ago.
    case holdCooldown = "HOLD_COOLDOWN"
    /// The submitter has no gate tests left in this epoch.
    case holdQuota = "HOLD_QUOTA"
    /// The epoch's gate tests are spent.
    case holdEpochExhausted = "HOLD_EPOCH_EXHAUSTED"
    /// The validation set has too few sealed groups for a test.
    case holdTooFewGroups = "HOLD_TOO_FEW_GROUPS"

    /// Whether the challenger enters the ensemble.
    public var isAdmission: Bool { self == .admit || self == .admitRetire }

    /// Whether nothing was decided on the merits: the same submission may be sent again later.
    public var isHold: Bool {
        switch self {
        case .holdCooldown, .holdQuota, .holdEpochExhausted, .holdTooFewGroups: true
        case .admit, .admitRetire, .rejectDuplicate, .rejectBudget, .rejectNoGain, .rejectGuardrail: false
        }
    }

    /// Whether it ends an evaluation that tenure and cool-downs count.
    public var completesEvaluation: Bool { !isHold && self != .rejectDuplicate }
}

/// Why a champion changed.
public enum PromotionKind: String, Hashable, Sendable, Codable, CaseIterable {
    case founding
    case admit
    case admitRetire = "admit_retire"
    /// The content of an earlier manifest, published again.
    case rollback
    /// The champion of a restored backup, published above everything that nodes have seen.
    case recovery
}
