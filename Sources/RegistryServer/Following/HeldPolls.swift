import EnsembleModel
import HTTPTypes
import NIOCore
import RegistryAPI
import RegistryStore
import Trust

/// Polls that wait for news of ensembles, and the newest heads known: decides who is answered when, without a clock.
///
/// - `Answer`: what a waiting poll is resumed with.
struct HeldPolls<Poll: Sendable>: Sendable {
    /// A head as it is served.
    struct Head: Sendable, Equatable {
        let head: RegistryStore.MetadataHead
        /// The timestamp.
        let body: ByteBuffer
        /// What goes before it.
        let fields: HTTPFields

        init(_ head: RegistryStore.MetadataHead) {
            self.head = head
            body = ByteBuffer(bytes: head.timestamp.bytes)
            fields = .content(
                digest: ContentDigest.of(head.timestamp.bytes), length: body.readableBytes, type: "application/json",
                forever: false)
        }
    }

    private struct Waiting {
        let poll: Poll
        /// News is anything else; nil waits for any.
        let after: KnownHead?
        let deadline: ContinuousClock.Instant
    }

    private struct Ensemble {
        var head: Head?
        /// Whether the database has been asked since somebody began to ask.
        var isKnown = false
        var waiting: [UInt64: Waiting] = [:]
        var lastAsked: ContinuousClock.Instant
    }

    /// What to do with a poll.
    enum Admission {
        /// The head, or nil when nothing has been published.
        case answer(Head?)
        /// It is kept under this id, and may need a look at the database to be answered.
        case held(UInt64, needsLook: Bool)
    }

    private var ensembles: [String: Ensemble] = [:]
    private var nextID: UInt64 = 0
    /// An ensemble that nobody has asked for this long is not looked up any more.
    private let interest: Duration

    init(interest: Duration) { self.interest = interest }

    /// The ensembles to look up; those of no interest any more are forgotten.
    mutating func names(at now: ContinuousClock.Instant) -> [String] {
        ensembles = ensembles.filter { !$0.value.waiting.isEmpty || now - $0.value.lastAsked <= interest }
        return ensembles.keys.sorted()
    }

    /// Takes a poll: answered at once when there is news or no time to wait, held otherwise.
    ///
    /// - Parameters:
    ///   - after: the newest head that the asker knows; nil when it wants whatever there is.
    ///   - deadline: when it is answered at the latest; nil asks for what is known now.
    mutating func ask(
        _ ensemble: String, after: KnownHead?, until deadline: ContinuousClock.Instant?,
        at now: ContinuousClock.Instant, _ poll: @autoclosure () -> Poll
    ) -> Admission {
        // Changed in place: a copy of ten thousand waiting polls for each that comes would be the daemon's whole work.
        ensembles[ensemble, default: Ensemble(lastAsked: now)].lastAsked = now
        let (isKnown, head) = (ensembles[ensemble]?.isKnown ?? false, ensembles[ensemble]?.head)
        if isKnown, deadline == nil || head.map({ Self.isNews($0, after: after) }) ?? false { return .answer(head) }
        nextID += 1
        // Without a deadline, the next look answers.
        ensembles[ensemble]?.waiting[nextID] = Waiting(poll: poll(), after: after, deadline: deadline ?? now)
        return .held(nextID, needsLook: !isKnown)
    }

    /// Takes the heads of the ensembles that were looked up, and gives the polls to answer, each with its answer.
    mutating func look(
        at names: [String], found heads: [RegistryStore.MetadataHead], now: ContinuousClock.Instant
    ) -> [(Poll, Head?)] {
        let heads = Dictionary(heads.map { ($0.champion.ensemble, $0) }, uniquingKeysWith: { $1 })
        var answers: [(Poll, Head?)] = []
        for name in names {
            guard var entry = ensembles[name] else { continue }
            if let head = heads[name], head != entry.head?.head { entry.head = Head(head) }
            entry.isKnown = true
            let head = entry.head
            entry.waiting = entry.waiting.filter { _, waiting in
                let isDue = waiting.deadline <= now || head.map { Self.isNews($0, after: waiting.after) } ?? false
                if isDue { answers.append((waiting.poll, head)) }
                return !isDue
            }
            ensembles[name] = entry
        }
        return answers
    }

    /// Polls whose time is over, when the database could not be asked: they get what was known last.
    ///
    /// - Returns: the answers, and the polls of ensembles of which nothing is known.
    mutating func expire(at now: ContinuousClock.Instant) -> (answers: [(Poll, Head?)], unanswerable: [Poll]) {
        let known = ensembles.filter(\.value.isKnown)
        var unanswerable: [Poll] = []
        for (name, var entry) in ensembles where !entry.isKnown {
            unanswerable += entry.waiting.values.filter { $0.deadline <= now }.map(\.poll)
            entry.waiting = entry.waiting.filter { $0.value.deadline > now }
            ensembles[name] = entry
        }
        let answers = look(at: known.keys.sorted(), found: known.values.compactMap { $0.head?.head }, now: now)
        return (answers, unanswerable)
    }

    /// Gives up a poll whose asker is gone.
    mutating func abandon(_ id: UInt64, of ensemble: String) -> Poll? {
        ensembles[ensemble]?.waiting.removeValue(forKey: id)?.poll
    }

    /// All polls, to be answered now with what is known.
    mutating func drain() -> [(Poll, Head?)] {
        var answers: [(Poll, Head?)] = []
        for name in ensembles.keys {
            guard let entry = ensembles[name] else { continue }
            answers += entry.waiting.values.map { ($0.poll, entry.head) }
            ensembles[name]?.waiting = [:]
        }
        return answers
    }

    /// Polls held now.
    var count: Int { ensembles.values.reduce(0) { $0 + $1.waiting.count } }

    /// Whether a head is other news than the asker has: newer, or older as after a restored backup, or rolled out
    /// further.
    private static func isNews(_ head: Head, after: KnownHead?) -> Bool {
        guard let after else { return true }
        return after.position != ManifestPosition(head.head.champion)
            || after.rollout.map { $0 != head.head.rollout } ?? false
    }
}

/// What somebody who asks for news knows already.
struct KnownHead: Sendable, Equatable {
    var position: ManifestPosition
    /// The share of the nodes that the manifest had reached; nil for an asker to whom it does not matter.
    var rollout: Int?

    init(_ position: ManifestPosition, rollout: Int? = nil) {
        self.position = position
        self.rollout = rollout
    }

    /// Reads the query parameters `after` and `rollout`.
    ///
    /// - Throws: ``Problem`` `badRequest`.
    init?(after: String?, rollout: String?) throws(Problem) {
        guard let after else {
            guard rollout == nil else { throw Problem(.badRequest, detail: "rollout goes with after") }
            return nil
        }
        guard let position = ManifestPosition(after) else {
            throw Problem(.badRequest, detail: "after is '\(after.prefix(40))'; it is GENERATION.SEQUENCE")
        }
        self.init(position)
        guard let rollout else { return }
        guard let share = Int(rollout), (0...Rollout.whole).contains(share) else {
            throw Problem(
                .badRequest, detail: "rollout is '\(rollout.prefix(40))'; it is a share in ten-thousandths of the nodes"
            )
        }
        self.rollout = share
    }
}

extension ManifestPosition {
    init(_ champion: ChampionNumber) {
        self.init(generation: champion.generation, sequence: champion.sequence)
    }

    /// Reads `GENERATION.SEQUENCE`; nil for anything else.
    init?(_ text: String) {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false).map { Int($0) }
        guard parts.count == 2, let generation = parts[0], let sequence = parts[1], generation >= 0, sequence >= 0
        else {
            return nil
        }
        self.init(generation: generation, sequence: sequence)
    }
}
