public import struct Foundation.Date

/// How the nodes of an ensemble stand.
public struct NodeCounts: Hashable, Sendable {
    public var all: Int
    /// Those that serve the newest manifest.
    public var current: Int
    /// Those that have refused it, or fail most requests with it.
    public var refused: Int
    /// Those that serve without fresh metadata.
    public var stale: Int
    /// Those that have not reported for a while.
    public var silent: Int

    public init(all: Int = 0, current: Int = 0, refused: Int = 0, stale: Int = 0, silent: Int = 0) {
        self.all = all
        self.current = current
        self.refused = refused
        self.stale = stale
        self.silent = silent
    }
}

/// A serving node, as it last reported.
public struct NodeRecord: Hashable, Sendable, Codable {
    /// Whether a node has what the registry publishes.
    public enum Standing: String, Hashable, Sendable, Codable, CaseIterable {
        /// It serves the newest manifest.
        case current
        /// It serves the newest manifest, and most requests fail.
        case failing
        /// It serves an older one, or none yet.
        case behind
        /// It has refused the newest manifest.
        case refused
        /// The newest manifest is rolled out in stages, and this node's has not come.
        case waiting
        /// It was told to stay where it is.
        case pinned
    }

    public var node: String
    public var report: NodeReport
    public var standing: Standing
    /// Sequence of the ensemble's newest manifest; 0 before the founding.
    public var wanted: Int
    public var firstReportedAt: Date
    public var reportedAt: Date

    public init(
        node: String, report: NodeReport, standing: Standing, wanted: Int, firstReportedAt: Date, reportedAt: Date
    ) {
        self.node = node
        self.report = report
        self.standing = standing
        self.wanted = wanted
        self.firstReportedAt = firstReportedAt
        self.reportedAt = reportedAt
    }

    enum CodingKeys: String, CodingKey {
        case node, report, standing, wanted
        case firstReportedAt = "first_reported_at"
        case reportedAt = "reported_at"
    }
}
