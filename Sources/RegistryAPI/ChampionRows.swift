public import EnsembleModel

/// The first line of an ensemble's labelled rows: what they are of.
///
/// The answer is JSON lines: this one, then ``ChampionRowsChunk``s. It holds labels of sealed rows, so it is for the
/// scope `audit`.
public struct ChampionRowsHeader: Hashable, Sendable, Codable {
    public var ensemble: String
    public var epoch: Int
    /// What the epoch's rows are split into folds, and into open and sealed ones, by.
    public var salt: String
    /// SHA-256 of the validation set, which the rows that follow must have.
    public var validation: ContentDigest
    public var rowCount: Int
    public var classes: [String]
    /// Sequence of the champion's manifest.
    public var sequence: Int
    /// Members, in model order.
    public var members: [ModelVersionID]
    /// The policy in force.
    public var policy: Policy

    public init(
        ensemble: String, epoch: Int, salt: String, validation: ContentDigest, rowCount: Int, classes: [String],
        sequence: Int, members: [ModelVersionID], policy: Policy
    ) {
        self.ensemble = ensemble
        self.epoch = epoch
        self.salt = salt
        self.validation = validation
        self.rowCount = rowCount
        self.classes = classes
        self.sequence = sequence
        self.members = members
        self.policy = policy
    }

    enum CodingKeys: String, CodingKey {
        case ensemble, epoch, salt, validation, classes, sequence, members, policy
        case rowCount = "rows"
    }
}

/// A further line: some rows in row-id order; the arrays run in parallel.
public struct ChampionRowsChunk: Hashable, Sendable, Codable {
    public var ids: [String]
    /// Indices of classes.
    public var labels: [Int]
    public var groups: [String]
    public var slices: [String]
    /// K numbers a row, row by row: the plain average of the members' predictions, of those that have the row. null
    /// where none has it.
    public var probabilities: [Float?]

    public init(ids: [String], labels: [Int], groups: [String], slices: [String], probabilities: [Float?]) {
        self.ids = ids
        self.labels = labels
        self.groups = groups
        self.slices = slices
        self.probabilities = probabilities
    }
}
