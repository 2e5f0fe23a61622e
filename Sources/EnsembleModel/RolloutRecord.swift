public import struct Foundation.Date

/// What a person does about a rollout.
public enum RolloutSteering: String, Hashable, Sendable, Codable, CaseIterable {
    /// No further node takes the manifest.
    case halt
    /// A halted one goes on with its stage; those that refuse the manifest by now do not count any more.
    case resume
    /// All nodes take it now.
    case finish
}

/// How far an ensemble's newest manifest is rolled out.
public struct RolloutRecord: Hashable, Sendable, Codable {
    /// The nodes that a stage reaches, by what they do; none that was told to stay at another manifest.
    public struct Nodes: Hashable, Sendable, Codable {
        /// Those that follow the ensemble, reached or not, but for those that had left before the stage.
        public var following: Int
        public var reached: Int
        /// Of the reached, those that serve the manifest.
        public var serving: Int
        /// All that refuse it or have fallen silent, and that nobody has excused.
        public var failing: Int

        public init(following: Int, reached: Int, serving: Int, failing: Int) {
            self.following = following
            self.reached = reached
            self.serving = serving
            self.failing = failing
        }
    }

    public var ensemble: String
    /// The manifest that is rolled out.
    public var sequence: Int
    public var state: ManifestRollout.State
    /// Share of the nodes that the stage reaches, in ten-thousandths.
    public var share: Int
    public var bakeSeconds: Int
    public var toleratedRefusals: Double
    public var startedAt: Date
    public var stageStartedAt: Date
    /// When all nodes of the stage were first seen to serve it; nil before.
    public var bakingSince: Date?
    /// Why it is halted; empty otherwise.
    public var reason: String
    public var nodes: Nodes

    public init(ensemble: String, _ rollout: ManifestRollout, nodes: [ManifestRollout.Node], now: Date) {
        self.ensemble = ensemble
        sequence = rollout.sequence
        state = rollout.state
        share = rollout.share
        bakeSeconds = rollout.settings.bakeSeconds
        toleratedRefusals = rollout.settings.toleratedRefusals
        startedAt = rollout.startedAt
        stageStartedAt = rollout.stageStartedAt
        bakingSince = rollout.bakingSince
        reason = rollout.reason
        let present = rollout.present(nodes)
        let reached = present.filter { rollout.reaches($0.id) }
        self.nodes = Nodes(
            following: present.count, reached: reached.count, serving: reached.count { $0.standing == .serves },
            failing: rollout.failures(nodes, now: now).count)
    }

    enum CodingKeys: String, CodingKey {
        case ensemble, sequence, state, share, reason, nodes
        case bakeSeconds = "bake_seconds"
        case toleratedRefusals = "tolerated_refusals"
        case startedAt = "started_at"
        case stageStartedAt = "stage_started_at"
        case bakingSince = "baking_since"
    }
}
