public import struct Foundation.Date

/// An ensemble as the registry knows it now.
public struct EnsembleRecord: Hashable, Sendable, Codable {
    /// One validation set's reign.
    public struct Epoch: Hashable, Sendable, Codable {
        /// 1, 2, ...
        public var number: Int
        /// SHA-256 of the validation set.
        public var validation: ContentDigest
        /// Salt of the folds, derived from the validation set.
        public var salt: String
        public var rowCount: Int
        public var groupCount: Int
        public var sliceCount: Int
        /// The combiner's preset, fixed at founding.
        public var preset: Policy.Preset?
        /// Earlier epochs whose groups this one has, and their split: what was open stays open, what was spent spent.
        public var sharesWith: [Int]
        public var startedAt: Date

        public init(
            number: Int, validation: ContentDigest, salt: String, rowCount: Int, groupCount: Int, sliceCount: Int,
            preset: Policy.Preset?, sharesWith: [Int] = [], startedAt: Date
        ) {
            self.number = number
            self.validation = validation
            self.salt = salt
            self.rowCount = rowCount
            self.groupCount = groupCount
            self.sliceCount = sliceCount
            self.preset = preset
            self.sharesWith = sharesWith
            self.startedAt = startedAt
        }

        enum CodingKeys: String, CodingKey {
            case number, validation, salt, preset
            case rowCount = "rows"
            case groupCount = "groups"
            case sliceCount = "slices"
            case sharesWith = "shares_with"
            case startedAt = "started_at"
        }
    }

    public var name: String
    public var description: String
    public var classes: [String]
    public var epoch: Epoch
    public var policy: Policy
    public var policyVersion: Int
    /// Sequence of the newest manifest; 0 before founding.
    public var sequence: Int
    /// SHA-256 of the newest manifest.
    public var manifest: ContentDigest?
    /// The champion's members, in model order.
    public var members: [ModelVersionID]
    /// Those of them without predictions of the epoch's rows: newcomers wait for these. In model order.
    public var missingMembers: [ModelVersionID]
    /// What the epoch has spent, and has left under the policy.
    public var ledger: LedgerRecord
    /// Model versions with usable predictions in this epoch, members among them.
    public var candidateCount: Int
    public var createdAt: Date
    public var createdBy: String

    public init(
        name: String, description: String, classes: [String], epoch: Epoch, policy: Policy, policyVersion: Int,
        sequence: Int, manifest: ContentDigest?, members: [ModelVersionID], missingMembers: [ModelVersionID] = [],
        ledger: LedgerRecord, candidateCount: Int, createdAt: Date, createdBy: String
    ) {
        self.name = name
        self.description = description
        self.classes = classes
        self.epoch = epoch
        self.policy = policy
        self.policyVersion = policyVersion
        self.sequence = sequence
        self.manifest = manifest
        self.members = members
        self.missingMembers = missingMembers
        self.ledger = ledger
        self.candidateCount = candidateCount
        self.createdAt = createdAt
        self.createdBy = createdBy
    }

    enum CodingKeys: String, CodingKey {
        case name, description, classes, epoch, policy, sequence, manifest, members, ledger
        case policyVersion = "policy_version"
        case missingMembers = "missing_members"
        case candidateCount = "candidates"
        case createdAt = "created_at"
        case createdBy = "created_by"
    }
}
