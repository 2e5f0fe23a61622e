/// Every limit of the daemon, in one place.
public struct DaemonLimits: Sendable {
    /// Largest upload as sent, in bytes.
    public var uploadBytes = 8 << 30
    /// Largest JSON request body, in bytes.
    public var jsonBytes = 64 << 10
    /// Longest reason that somebody may give, in characters; the database holds no longer one.
    public var reasonLength = 2_000
    /// Rows in a line of an ensemble's labelled rows.
    public var championRowsInLine = 4096
    /// Largest request head, in bytes, and most header fields.
    public var headerBytes = 64 << 10
    public var headerFields = 100
    /// Most connections at the same time.
    public var connections = 20_000
    /// Uploads checked at the same time; more are answered 503.
    public var concurrentUploads = 4
    /// Longest held poll.
    public var pollWait = Duration.seconds(60)
    /// How often a held poll looks again.
    public var pollInterval = Duration.milliseconds(100)
    /// Least time between two looks at the newest manifests, for all nodes together.
    public var headInterval = Duration.milliseconds(250)
    /// Time between two looks when nothing tells of news.
    public var headTick = Duration.seconds(1)
    /// An ensemble that nobody has asked for this long is not looked up any more.
    public var headInterest = Duration.seconds(120)
    /// How often the daemon looks for metadata to sign again.
    public var renewalInterval = Duration.seconds(5)
    /// How often the daemon looks what nodes say of manifests that are rolled out in stages.
    public var rolloutInterval = Duration.seconds(1)
    /// How often what nodes report is written down.
    public var reportInterval = Duration.milliseconds(500)
    /// Reports of nodes that wait to be written; more are answered 503.
    public var waitingReports = 20_000
    /// Most ensembles, and figures of each, in one report of a node.
    public var reportedEnsembles = 100
    public var reportedFigures = 100
    /// Longest time for which a revoked token may still open.
    public var tokenCheck = Duration.seconds(1)
    /// Tokens kept in memory.
    public var knownTokens = 20_000
    /// Longest page of a listing.
    public var pageSize = 200
    /// Page size when none is asked for.
    public var defaultPageSize = 50
    /// Validation sets whose id index is kept in memory for checking uploads.
    public var cachedValidationSets = 4
    /// A connection without a request is closed after this time.
    public var idleConnection = Duration.seconds(120)
    /// How long a connection stays open for its client to read an answer given before the request had ended.
    public var earlyAnswerLinger = Duration.seconds(2)
    /// How often an idle publisher looks for stored outcomes.
    public var publishInterval = Duration.milliseconds(100)
    /// Ensembles or nodes that a page of the dashboard shows.
    public var dashboardRows = 200
    /// Nodes among which it looks for those that need somebody.
    public var dashboardNodes = 1000
    /// Newest promotions and decisions that it shows.
    public var dashboardRecent = 10
    /// Seconds after which a browser loads a page of it again.
    public var dashboardRefreshSeconds = 10
    /// How long a browser stays signed in, in seconds.
    public var dashboardSessionSeconds = 12 * 3600
    /// How long a worker or a request may take to end after a shutdown began.
    public var shutdownGrace = Duration.seconds(10)

    /// The limits of a production daemon.
    public init() {}
}
