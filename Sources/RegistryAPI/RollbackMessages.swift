/// A request for an earlier manifest's content.
public struct RollbackRequest: Hashable, Sendable, Codable {
    /// Sequence of the manifest whose content is served again.
    public var to: Int
    /// Why, for everybody who reads the promotions.
    public var reason: String

    public init(to: Int, reason: String) {
        self.to = to
        self.reason = reason
    }
}

/// A request to go on after the database was restored from a backup.
public struct RecoveryRequest: Hashable, Sendable, Codable {
    public var reason: String

    public init(reason: String) { self.reason = reason }
}

/// What a recovery did to an ensemble.
public struct RecoveryRecord: Hashable, Sendable, Codable {
    /// The first versions of signed metadata that it used.
    public struct Versions: Hashable, Sendable, Codable {
        public var targets: Int
        public var snapshot: Int
        public var timestamp: Int

        public init(targets: Int, snapshot: Int, timestamp: Int) {
            self.targets = targets
            self.snapshot = snapshot
            self.timestamp = timestamp
        }
    }

    public var ensemble: String
    /// Of the manifest that it published.
    public var generation: Int
    public var sequence: Int
    /// Sequence of the newest manifest that the backup had.
    public var restoredSequence: Int
    public var versions: Versions

    public init(ensemble: String, generation: Int, sequence: Int, restoredSequence: Int, versions: Versions) {
        self.ensemble = ensemble
        self.generation = generation
        self.sequence = sequence
        self.restoredSequence = restoredSequence
        self.versions = versions
    }

    enum CodingKeys: String, CodingKey {
        case ensemble, generation, sequence, versions
        case restoredSequence = "restored_sequence"
    }
}
