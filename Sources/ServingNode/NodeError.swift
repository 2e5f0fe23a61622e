/// What went wrong in a serving node, and what to do about it. It never carries request values or the token.
public struct NodeError: Error, Sendable, CustomStringConvertible {
    /// Stable names of the failures; scripts and tests branch on them.
    public enum Code: String, Hashable, Sendable {
        /// An argument of the program cannot be used.
        case invalidConfiguration = "invalid_configuration"
        /// Another node uses the state directory.
        case stateDirectoryInUse = "state_directory_in_use"
        /// The state directory cannot be made, read or written.
        case stateDirectoryUnusable = "state_directory_unusable"
        /// The disk of the state directory is full.
        case diskFull = "disk_full"
        /// A file of the state directory is not what was written, or lacks what this version needs.
        case damagedState = "damaged_state"
        /// The address to listen on cannot be used.
        case cannotListen = "cannot_listen"

        /// The registry did not answer, or not with what was asked for.
        case registryUnavailable = "registry_unavailable"
        /// The registry does not accept this node's token.
        case tokenRefused = "token_refused"
        /// The registry does not know the ensemble.
        case unknownEnsemble = "unknown_ensemble"
        /// The registry has published nothing for the ensemble yet.
        case nothingPublished = "nothing_published"
        /// A manifest that is not what this node understands and expects.
        case invalidManifest = "invalid_manifest"
        /// A manifest older than the one known.
        case rollback = "rollback"
        /// Two manifests under one number, or one that does not continue the one served.
        case equivocation = "equivocation"
        /// Signed metadata that cannot be accepted; the cause says why.
        case untrusted = "untrusted"
        /// A combiner that is not the one its manifest describes.
        case invalidCombiner = "invalid_combiner"

        /// A request that cannot be answered as it is.
        case badRequest = "bad_request"
        /// A path, model or version that is not served here.
        case notFound = "not_found"
        /// A request over a limit.
        case tooLarge = "too_large"
        /// Nothing to serve yet.
        case notReady = "not_ready"
        /// Members that had to be called gave no answer that can be used.
        case membersUnavailable = "members_unavailable"
        /// Too many requests at once.
        case busy = "busy"
    }

    /// The kind of failure.
    public let code: Code
    /// What happened and the remedy, for people.
    public let message: String
    /// The error underneath, if there is one.
    public let cause: (any Error)?

    init(_ code: Code, _ message: String, cause: (any Error)? = nil) {
        self.code = code
        self.message = message
        self.cause = cause
    }

    /// The message, followed by its cause.
    public var description: String {
        cause.map { "\(message) (\($0))" } ?? message
    }
}
