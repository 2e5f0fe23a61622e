/// The rows that figures are over.
public enum RowScope: String, Hashable, Sendable, Codable, CaseIterable {
    /// Every validation row.
    case all
    /// Rows whose figures submitters see.
    case open
    /// Rows that the gate tests on; their figures need the audit scope.
    case sealed
}

/// A mean difference of two sets' losses over rows, with its standard error over groups.
public struct Comparison: Hashable, Sendable, Codable {
    /// Mean loss of the first set minus that of the second, in nats: positive when the second is better.
    public var gain: Double
    /// Cluster-robust standard error of the gain, times 1.1 since folds are not independent.
    public var standardError: Double
    /// Gain / standard error; 0 without an error.
    public var z: Double

    /// Creates a comparison.
    public init(gain: Double, standardError: Double) {
        self.gain = gain
        self.standardError = standardError
        z = standardError > 0 ? gain / standardError : 0
    }

    /// The 95 % confidence interval of the gain, by Student's t over the groups behind the standard error; nil for
    /// fewer than two.
    public func interval95(groupCount: Int) -> (low: Double, high: Double)? {
        guard groupCount > 1 else { return nil }
        let width = StudentT(degrees: groupCount - 1).upperQuantile(0.025) * standardError
        return (gain - width, gain + width)
    }

    enum CodingKeys: String, CodingKey {
        case gain, z
        case standardError = "standard_error"
    }
}

extension Evidence {
    /// How the rows are divided.
    public struct Split: Hashable, Sendable, Codable {
        public var openRows: Int
        public var openGroups: Int
        public var sealedRows: Int
        public var sealedGroups: Int
        /// Rows that searches and utilities use: all, or a sample of whole groups where there are more than 50,000.
        public var searchedRows: Int

        public init(openRows: Int, openGroups: Int, sealedRows: Int, sealedGroups: Int, searchedRows: Int) {
            self.openRows = openRows
            self.openGroups = openGroups
            self.sealedRows = sealedRows
            self.sealedGroups = sealedGroups
            self.searchedRows = searchedRows
        }

        enum CodingKeys: String, CodingKey {
            case openRows = "open_rows"
            case openGroups = "open_groups"
            case sealedRows = "sealed_rows"
            case sealedGroups = "sealed_groups"
            case searchedRows = "searched_rows"
        }
    }

    /// One choice of a search: which sets were compared and which was taken.
    public struct SearchStep: Hashable, Sendable, Codable {
        /// What the step does.
        public enum Move: String, Hashable, Sendable, Codable, CaseIterable {
            /// All sets that drop the fewest members that suffice.
            case exhaustive
            /// Drops one of the members of lowest SAGE.
            case drop
            /// Adds a member back, or swaps one in.
            case polish
        }

        public var move: Move
        /// The set it starts from.
        public var from: [ModelVersionID]
        /// SAGE of the members it starts from, in model order; empty where it was not asked for.
        public var sage: [UtilityScore]
        /// The sets compared, by open out-of-fold loss rounded to 1e-9.
        public var options: [TriedSet]
        /// The best of them; the start itself when none was better.
        public var chosen: [ModelVersionID]

        public init(
            move: Move, from: [ModelVersionID], sage: [UtilityScore], options: [TriedSet], chosen: [ModelVersionID]
        ) {
            self.move = move
            self.from = from
            self.sage = sage
            self.options = options
            self.chosen = chosen
        }
    }

    /// Something that a person should look at; it changes no verdict.
    public struct Warning: Hashable, Sendable, Codable {
        /// The kind of warning.
        public enum Kind: String, Hashable, Sendable, Codable, CaseIterable {
            /// Some member alone is better than the ensemble.
            case bestSingleIsBetter = "best_single_is_better"
            /// The members' plain average is better than the ensemble.
            case averageIsBetter = "average_is_better"
            /// Class shares alone are better than the ensemble.
            case classPriorIsBetter = "class_prior_is_better"
            /// The challenger is better out of all proportion: its labels may have leaked.
            case suspectedLeak = "suspected_leak"
            /// The challenger is nearly the same as a candidate.
            case nearDuplicate = "near_duplicate"
        }

        public var kind: Kind
        /// What is the matter, one line for people.
        public var message: String

        public init(kind: Kind, message: String) {
            self.kind = kind
            self.message = message
        }
    }
}
