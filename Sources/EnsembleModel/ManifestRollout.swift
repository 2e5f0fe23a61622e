public import struct Foundation.Date
public import typealias Foundation.TimeInterval

/// How far a manifest has been rolled out in stages, and what follows from what nodes say of it.
///
/// A stage is a share of the nodes (see ``Rollout``). It bakes: once every node that it reaches serves the manifest, a
/// time has to pass before the next stage begins. It halts when more of these nodes than tolerated refuse the manifest,
/// or have fallen silent since: a manifest that kills nodes is never reported.
public struct ManifestRollout: Hashable, Sendable {
    /// Where a rollout stands.
    public enum State: String, Hashable, Sendable, Codable, CaseIterable {
        /// The nodes of a stage are to serve it.
        case baking
        /// No further node takes it until somebody says so.
        case halted
        /// All nodes may take it.
        case complete
        /// Another manifest was published before it was complete.
        case superseded
    }

    /// A node that follows the ensemble and was not told to stay at another manifest.
    public struct Node: Hashable, Sendable {
        /// What it does about the manifest.
        public enum Standing: Hashable, Sendable {
            case serves
            /// With stage and code; also a node that serves it, where most requests fail.
            case refuses(String)
            /// It has not taken it, or is about to try again.
            case waits
        }

        public var id: String
        public var standing: Standing
        public var reportedAt: Date

        public init(id: String, standing: Standing, reportedAt: Date) {
            self.id = id
            self.standing = standing
            self.reportedAt = reportedAt
        }
    }

    /// A node that has said nothing for so long is gone, in seconds: nodes report once a minute.
    public static let silence: TimeInterval = 180
    /// The stages after the first node, in ten-thousandths of the nodes.
    public static let shares = [100, 1000, 5000, Rollout.whole]

    public let sequence: Int
    public let settings: Policy.StagedRollout
    public let startedAt: Date
    public private(set) var state = State.baking
    /// Of the stage, in ten-thousandths of the nodes.
    public private(set) var share = 0
    public private(set) var stageStartedAt: Date
    /// When all nodes of the stage were first seen to serve the manifest.
    public private(set) var bakingSince: Date?
    /// Why it is halted; empty otherwise.
    public private(set) var reason = ""
    /// Nodes that refused it, or were silent, when somebody let it go on: they do not count any more.
    public private(set) var excused: Set<String> = []

    /// Begins with the first stage; complete at once where no node reports.
    public init(sequence: Int, settings: Policy.StagedRollout, nodes: [Node], now: Date) {
        self.sequence = sequence
        self.settings = settings
        startedAt = now
        stageStartedAt = now
        advance(nodes, now)
    }

    /// As it was stored.
    public init(
        sequence: Int, settings: Policy.StagedRollout, state: State, share: Int, startedAt: Date, stageStartedAt: Date,
        bakingSince: Date?, reason: String, excused: Set<String>
    ) {
        self.sequence = sequence
        self.settings = settings
        self.state = state
        self.share = share
        self.startedAt = startedAt
        self.stageStartedAt = stageStartedAt
        self.bakingSince = bakingSince
        self.reason = reason
        self.excused = excused
    }

    /// What the signed timestamp says: the share of the nodes that take the manifest; nil for all, 0 while halted.
    public var signedShare: Int? {
        switch state {
        case .baking: share
        case .halted: 0
        case .complete, .superseded: nil
        }
    }

    /// Whether it reaches a node by now.
    public func reaches(_ node: String) -> Bool { Rollout.includes(node: node, sequence: sequence, share: share) }

    // MARK: By itself

    /// What follows from what nodes say by now; nil when nothing changes.
    ///
    /// - Parameter isHearing: whether nodes could report for as long as ``silence``: silence says nothing after an
    ///   outage of the registry.
    public func next(_ nodes: [Node], now: Date, isHearing: Bool = true) -> ManifestRollout? {
        guard state == .baking else { return nil }
        var next = self
        let failures = failures(nodes, now: now).filter { isHearing || !$0.isSilent }
        let reached = reached(nodes)
        if Double(failures.count) > settings.toleratedRefusals * Double(reached.count) {
            next.halt(Self.text(failures))
        } else if reached.allSatisfy({ $0.standing != .waits || isHearing && isSilent($0, now) }) {
            let since = bakingSince ?? now
            next.bakingSince = since
            if now.timeIntervalSince(since) >= Double(settings.bakeSeconds) { next.advance(nodes, now) }
        }
        return next == self ? nil : next
    }

    /// Without the nodes that had left before the stage began, and what they said last.
    public func present(_ nodes: [Node]) -> [Node] {
        nodes.filter { stageStartedAt.timeIntervalSince($0.reportedAt) <= Self.silence }
    }

    /// Nodes of the stage that count.
    func reached(_ nodes: [Node]) -> [Node] { present(nodes).filter { reaches($0.id) && !excused.contains($0.id) } }

    /// A node that speaks against a manifest.
    public struct Failure: Hashable, Sendable {
        public let node: String
        /// With stage and code; nil for a node that has fallen silent.
        public let refusal: String?

        var isSilent: Bool { refusal == nil }
        var text: String { "\(node) \(refusal.map { "refused it (\($0))" } ?? "has been silent since")" }
    }

    /// Nodes that speak against it, in the order given.
    public func failures(_ nodes: [Node], now: Date) -> [Failure] {
        present(nodes).compactMap { node in
            guard !excused.contains(node.id) else { return nil }
            if isSilent(node, now) { return reaches(node.id) ? Failure(node: node.id, refusal: nil) : nil }
            if case .refuses(let what) = node.standing { return Failure(node: node.id, refusal: what) }
            return nil
        }
    }

    private func isSilent(_ node: Node, _ now: Date) -> Bool {
        now.timeIntervalSince(node.reportedAt) > Self.silence
    }

    private static func text(_ failures: [Failure]) -> String {
        let shown = failures.prefix(5).map(\.text).joined(separator: ", ")
        return failures.count > 5 ? "\(shown), and \(failures.count - 5) more" : shown
    }

    /// The next stage that reaches a further node: stages without one have nothing to bake.
    ///
    /// Who has gone is told by the newest report of any: after an outage of the registry all are old.
    private mutating func advance(_ nodes: [Node], _ now: Date) {
        let newest = nodes.map(\.reportedAt).max() ?? now
        let further = nodes.filter { newest.timeIntervalSince($0.reportedAt) <= Self.silence }
            .map { Rollout.cohort(node: $0.id, sequence: sequence) }.filter { $0 >= share }
        // The first stage is one node.
        let stages = share == 0 ? further.min().map { [$0 + 1] } ?? [] : Self.shares.filter { $0 > share }
        let next = stages.first { stage in further.contains { $0 < stage } } ?? Rollout.whole
        begin(next, now)
    }

    private mutating func begin(_ share: Int, _ now: Date) {
        self.share = share
        state = share == Rollout.whole ? .complete : .baking
        stageStartedAt = now
        bakingSince = nil
        reason = ""
    }

    // MARK: By people

    /// Stops where it is: no further node takes the manifest.
    public mutating func halt(_ reason: String) {
        state = .halted
        self.reason = reason
    }

    /// Goes on with the stage, without those that speak against it now.
    public mutating func resume(_ nodes: [Node], now: Date) {
        excused.formUnion(failures(nodes, now: now).map(\.node))
        begin(share, now)
    }

    /// Lets all nodes take it.
    public mutating func finish(now: Date) { begin(Rollout.whole, now) }
}
