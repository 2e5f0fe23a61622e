/// How a node calls members and what it keeps of their answers.
public struct ServingOptions: Sendable {
    /// From a request's arrival to a member's answer; a member that is slower counts as missing.
    public var memberTimeout: Duration
    /// Bound of the labels kept for the keys of rows, in bytes; 0 keeps none.
    public var labelCacheBytes: Int
    /// Bound of the members' outputs kept for the keys of rows, in bytes; 0 keeps none.
    public var outputCacheBytes: Int

    /// Sets all options.
    public init(
        memberTimeout: Duration = .milliseconds(500), labelCacheBytes: Int = 64 << 20,
        outputCacheBytes: Int = 128 << 20
    ) {
        self.memberTimeout = memberTimeout
        self.labelCacheBytes = labelCacheBytes
        self.outputCacheBytes = outputCacheBytes
    }
}
