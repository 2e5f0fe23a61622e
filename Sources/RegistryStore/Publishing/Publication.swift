extension RegistryStore {
    /// What a call of `publish` did.
    public enum Publication: Hashable, Sendable {
        /// Decided, and the manifest of this number published.
        case published(sequence: Int)
        /// Decided; the champion stays.
        case decidedWithoutPromotion
        /// Decided; what it spent is booked, and its promotion waits for people's approval.
        case awaitsApproval(decision: Int64)
        /// Something it was evaluated against has changed: it is evaluated again.
        case requeued(reason: String)
        /// Nothing to do: decided before, cancelled, or not there.
        case gone
    }
}
