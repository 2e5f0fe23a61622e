public import EnsembleModel

extension RegistryStore {
    /// An evaluation that a worker holds, with everything it needs to know; rows and predictions are read by their
    /// own calls.
    public struct Claim: Hashable, Sendable {
        /// A model version with predictions in the epoch.
        public struct Candidate: Hashable, Sendable {
            public var submission: Int64
            public var model: ModelVersionID
            /// SHA-256 of the predictions' float32 bytes: a key for caches.
            public var predictions: ContentDigest
            public var cost: ModelCost

            public init(submission: Int64, model: ModelVersionID, predictions: ContentDigest, cost: ModelCost) {
                self.submission = submission
                self.model = model
                self.predictions = predictions
                self.cost = cost
            }
        }

        public var evaluation: Int64
        /// Counts up with every claim; only the newest holder's writes count.
        public var fenceToken: Int64
        /// 1, 2, 3.
        public var attempt: Int
        public var ensemble: String
        public var epoch: Int
        /// Sequence of the champion evaluated against; 0 for a founding.
        public var sequence: Int
        public var kind: EvaluationKind
        /// nil for a founding.
        public var challenger: ModelVersionID?
        /// Members, in model order.
        public var champion: [ModelVersionID]
        /// In model order: all of the epoch for a founding, members and challenger for an admission.
        public var candidates: [Candidate]
        public var policy: Policy
        public var policyVersion: Int
        /// Fixed by the founding; nil before it.
        public var preset: Policy.Preset?
        public var epochSalt: String
        /// The epoch's secret, for commitments.
        public var sealKey: String
        /// SHA-256 of the validation set.
        public var validation: ContentDigest
        /// Who asked for the evaluation.
        public var submitter: String
        /// What the epoch has spent.
        public var ledger: Ledger
        /// Loss given up by retirements in the epoch, in nats.
        public var retiredLoss: Double
        /// The decision to compute again; nil for a new evaluation.
        public var replays: Int64?
    }
}
