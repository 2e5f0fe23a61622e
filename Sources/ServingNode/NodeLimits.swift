import Forest

/// Every limit of a serving node, in one place.
public struct NodeLimits: Sendable {
    /// Largest body of an inference request, in bytes.
    public var bodyBytes = 64 << 20
    /// Most binary data of an inference request, in bytes: as text, small elements take several times as much.
    public var binaryBytes = 32 << 20
    /// Bodies held in memory at the same time, in bytes; requests over it are answered 503.
    public var bodyBytesTogether = 256 << 20
    /// Most rows of an inference request.
    public var rows = 65_536
    /// Most levels of arrays and objects in a request.
    public var jsonDepth = 32
    /// Longest header, all fields together, in bytes.
    public var headerBytes = 32 << 10
    /// Most header fields.
    public var headerFields = 100
    /// Connections served at the same time; more wait.
    public var connections = 1024
    /// A connection without a request is closed after this time.
    public var idleConnection = Duration.seconds(120)
    /// How long a connection stays open for its client to read an answer given before the request had ended.
    public var earlyAnswerLinger = Duration.seconds(2)
    /// How long requests may take to end after a shutdown began.
    public var shutdownGrace = Duration.seconds(10)

    /// Largest manifest, in bytes.
    public var manifestBytes = 4 << 20
    /// Most members: twice what a registry publishes.
    public var members = 128
    /// How long the registry may take to answer.
    public var registryAnswer = Duration.seconds(30)
    /// How long the download of one file may take.
    public var download = Duration.seconds(600)
    /// Shortest time from one look at the registry to the next.
    public var pollInterval = Duration.seconds(1)
    /// Time between two reports to the registry, if nothing changes.
    public var reportInterval = Duration.seconds(60)
    /// Longest pause between two attempts to reach the registry.
    public var longestBackoff = Duration.seconds(60)
    /// Time between two lines in the log about the same fault, poll after poll.
    public var faultLogInterval = Duration.seconds(300)
    /// How long the activation of a champion may wait for its new members' outputs of frequent rows.
    public var warming = Duration.seconds(10)
    /// Time between two looks at failing requests, and least requests that say anything.
    public var failureWindow = Duration.seconds(10)
    public var failureRequests = 20
    /// What a combiner may consist of.
    let forest = Forest.Limits.accepted

    /// The limits of a production node.
    public init() {}
}
