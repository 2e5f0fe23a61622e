public import EnsembleModel

extension RegistryStore {
    /// A model version's predictions as they are offered to an ensemble, already checked and put in row-id order.
    public struct NewSubmission: Sendable {
        public var ensemble: String
        /// The epoch against whose rows the upload was checked.
        public var epoch: Int
        public var model: ModelVersionID
        public var metadata: ModelMetadata
        /// SHA-256 of the predictions' float32 bytes in row-id order.
        public var predictions: ContentDigest
        /// Rows with a prediction.
        public var rowCount: Int
        /// Validation rows without one.
        public var missingRowCount: Int
        /// 1 to 200 characters; the same key of the same actor always means the same submission.
        public var idempotencyKey: String?
        public var actor: String

        public init(
            ensemble: String, epoch: Int, model: ModelVersionID, metadata: ModelMetadata, predictions: ContentDigest,
            rowCount: Int, missingRowCount: Int, idempotencyKey: String?, actor: String
        ) {
            self.ensemble = ensemble
            self.epoch = epoch
            self.model = model
            self.metadata = metadata
            self.predictions = predictions
            self.rowCount = rowCount
            self.missingRowCount = missingRowCount
            self.idempotencyKey = idempotencyKey
            self.actor = actor
        }
    }
}
