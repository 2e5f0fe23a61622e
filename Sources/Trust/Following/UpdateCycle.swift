public import EnsembleModel

public import struct Foundation.Date

/// One run of TUF's client workflow (specification 1.0, sections 5.3 to 5.6) as a state machine: it asks for files, is
/// given bytes and the time, and says what to store. It does no input or output itself.
///
/// ``start(now:)`` and each `receive` return actions to be done in order; the last one asks for something or finishes.
/// Roots are stored as they are verified; timestamp, snapshot and targets only together, after every check, the
/// downloads' included.
public struct UpdateCycle: Sendable {
    /// What to do next.
    public enum Action: Hashable, Sendable {
        /// Fetch metadata of at most so many bytes and answer with ``UpdateCycle/receive(_:now:)``. A version is nil
        /// where the name has none; `sha256` is known where the metadata above says it.
        case fetch(MetadataRole, version: Int?, maximumBytes: Int, sha256: ContentDigest?)
        /// Download targets and answer for each with ``UpdateCycle/receive(_:target:)``, in any order.
        case download([TargetFile])
        /// Drop the stored timestamp and snapshot, before anything that follows: their keys were rotated, and versions
        /// that a thief of the old keys may have raised must not outlast them (fast-forward recovery, 5.3.11); or a
        /// stored file does not verify, which the error tells.
        case discard([MetadataRole], because: TrustError?)
        /// Store verified metadata, each under its role; all of them or none.
        case store([MetadataFile])
        /// The cycle is over.
        case finish(Result<Update, TrustError>)
    }

    /// What was fetched.
    public enum Answer: Sendable {
        /// The file.
        case bytes([UInt8])
        /// A target that was written elsewhere while it was measured.
        case measured(length: Int, sha256: ContentDigest)
        /// A target that will not be used now: the metadata that names it is trusted all the same.
        case notNeeded
        /// The registry says that there is no such file.
        case notFound
        /// It could not be fetched; why, in words.
        case failed(String)
    }

    /// What a cycle has established.
    public struct Update: Hashable, Sendable {
        /// The metadata in force: what the next cycle starts from.
        public let trusted: TrustedMetadata
        /// The newest timestamp.
        public let timestamp: Timestamp
        /// The newest targets.
        public let targets: Targets
        /// Whether the files are others than those trusted before: false after a mere renewal.
        public let isNew: Bool
    }

    enum State {
        case idle
        case roots(count: Int)
        case timestamp
        case snapshot
        case targets
        case downloads([String: TargetFile])
        case finished
    }

    var state = State.idle
    var verifier: MetadataVerifier
    /// What is to be stored by now: as handed in, and changed as the actions so far say. The next cycle starts from it,
    /// also after a failure.
    public internal(set) var trusted: TrustedMetadata
    let held: Set<ContentDigest>

    /// The stored metadata of this cycle's start, where it verifies.
    var old = Verified()
    /// What this cycle has verified so far.
    var new = Verified()
    /// The files of `new` that are to be stored in the end.
    var pending: [MetadataFile] = []

    struct Verified {
        var timestamp: Signed<Timestamp>?
        var snapshot: Signed<Snapshot>?
        var targets: Signed<Targets>?
    }

    /// Prepares a cycle.
    ///
    /// - Parameters:
    ///   - trusted: what earlier cycles stored; at least one root.
    ///   - ensemble: the ensemble that is followed; nil takes any.
    ///   - held: digests of targets that need not be downloaded again, since they are held and were checked.
    /// - Throws: ``TrustError`` for roots that do not verify: nothing can be trusted without them.
    public init(
        trusted: TrustedMetadata, ensemble: String?, held: Set<ContentDigest> = [], limits: TrustLimits = TrustLimits()
    ) throws(TrustError) {
        self.trusted = trusted
        self.held = held
        verifier = try MetadataVerifier(roots: trusted.roots, ensemble: ensemble, limits: limits)
    }

    /// The root in force.
    public var root: Root { verifier.root.content }

    /// The newest timestamp, once this cycle has verified it.
    public var timestamp: Timestamp? { new.timestamp?.content }
    /// The newest targets, once this cycle has verified them.
    public var targets: Targets? { new.targets?.content }

    /// Begins: asks for the root after the trusted one.
    public mutating func start(now: Date) -> [Action] {
        guard case .idle = state else { return unexpected("the cycle has begun already") }
        state = .roots(count: 0)
        return [fetchRoot()]
    }

    /// Takes the answer to the last ``Action/fetch(_:version:maximumBytes:sha256:)``.
    public mutating func receive(_ answer: Answer, now: Date) -> [Action] {
        do throws(TrustError) {
            switch state {
            case .roots(let count):
                if case .notFound = answer { return try finishRoots(now: now) }
                return try takeRoot(bytes(of: answer, .root), count: count + 1)
            case .timestamp: return try takeTimestamp(bytes(of: answer, .timestamp), now: now)
            case .snapshot: return try takeSnapshot(bytes(of: answer, .snapshot), now: now)
            case .targets: return try takeTargets(bytes(of: answer, .targets), now: now)
            case .idle, .downloads, .finished: return unexpected("no metadata was asked for")
            }
        } catch {
            return fail(error)
        }
    }

    /// Takes a target, or that there is none.
    public mutating func receive(_ answer: Answer, target path: String) -> [Action] {
        guard case .downloads(var wanted) = state, let file = wanted.removeValue(forKey: path) else {
            return unexpected("no target \(path.prefix(128)) was asked for")
        }
        do throws(TrustError) {
            switch answer {
            case .notNeeded: break
            case .measured(let length, let sha256): try file.check(length: length, sha256: sha256)
            case .bytes, .notFound, .failed:
                let bytes = try bytes(of: answer, .targets)
                try file.check(length: bytes.count, sha256: .of(bytes))
            }
            state = .downloads(wanted)
            return wanted.isEmpty ? finish() : []
        } catch {
            return fail(error)
        }
    }

    private func bytes(of answer: Answer, _ role: MetadataRole) throws(TrustError) -> [UInt8] {
        switch answer {
        case .bytes(let bytes): return bytes
        case .measured, .notNeeded:
            throw TrustError(.unexpected, role, "only targets can be measured elsewhere or left out")
        case .notFound: throw TrustError(.notFound, role, "the registry does not have the file that was asked for")
        case .failed(let why): throw TrustError(.unavailable, role, "the file could not be fetched: \(why)")
        }
    }

    private mutating func unexpected(_ what: String) -> [Action] { fail(TrustError(.unexpected, nil, what)) }

    private mutating func fail(_ error: TrustError) -> [Action] {
        state = .finished
        return [.finish(.failure(error))]
    }
}
