extension Policy {
    /// How an admission reaches the serving nodes where it does not go to all of them at once: first to one node, then
    /// to 1 %, 10 %, 50 % and all of them.
    ///
    /// Rollbacks, recoveries and foundings always go to all nodes at once.
    public struct StagedRollout: Hashable, Sendable, Codable {
        /// Seconds for which all nodes of a stage must have served the manifest before the next stage begins.
        public var bakeSeconds: Int
        /// Share of the nodes reached that may refuse the manifest, or fall silent; with more of them it halts.
        public var toleratedRefusals: Double

        /// Creates the switches.
        public init(bakeSeconds: Int = 600, toleratedRefusals: Double = 0) {
            self.bakeSeconds = bakeSeconds
            self.toleratedRefusals = toleratedRefusals
        }

        enum CodingKeys: String, CodingKey, CaseIterable {
            case bakeSeconds = "bake_seconds"
            case toleratedRefusals = "tolerated_refusals"
        }

        /// Decodes the switches; those left out take their defaults, unknown ones are refused.
        public init(from decoder: any Decoder) throws {
            let values = try SwitchReader(decoder, CodingKeys.self, of: "rollout")
            let defaults = StagedRollout()
            bakeSeconds = try values.read(.bakeSeconds, defaults.bakeSeconds)
            toleratedRefusals = try values.read(.toleratedRefusals, defaults.toleratedRefusals)
        }

        func validate() throws(EnsembleModelError) {
            try Policy.check("rollout.bake_seconds", bakeSeconds, in: 0...604_800)
            try Policy.check("rollout.tolerated_refusals", toleratedRefusals, in: 0...1)
        }
    }
}
