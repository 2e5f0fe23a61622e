/// Why metadata, a target or a key is not accepted: one code for each attack that The Update Framework (TUF) defends
/// against, and for what can be wrong with keys and ceremonies.
public struct TrustError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Stable, machine-readable kinds of this error.
    public enum Code: String, Hashable, Sendable, CaseIterable {
        /// Bytes that are not strict JSON, or not the metadata they are said to be.
        case malformed
        /// Bytes over a limit.
        case tooLarge = "too_large"
        /// Fewer valid signatures of a role's keys than its threshold.
        case wrongSignature = "wrong_signature"
        /// A version, generation or sequence older than the trusted one.
        case rollback
        /// Metadata past its expiry: a freeze attack, or a registry that no longer renews. A node serves on and reports
        /// itself stale.
        case expired
        /// Snapshot or targets of another version than the metadata that names them says.
        case mixAndMatch = "mix_and_match"
        /// Other content under a version that is trusted already.
        case equivocation
        /// Metadata of another ensemble.
        case wrongEnsemble = "wrong_ensemble"
        /// A file of another length than its metadata says.
        case lengthMismatch = "length_mismatch"
        /// A file with another digest than its metadata says.
        case hashMismatch = "hash_mismatch"
        /// More new root versions in one update than the limit.
        case endlessRoots = "endless_roots"
        /// The registry does not have what its metadata names.
        case notFound = "not_found"
        /// The registry, or a file, could not be read.
        case unavailable
        /// An answer to something that was not asked.
        case unexpected

        /// Too few private keys at hand to reach a role's threshold, or a key that has no part in it.
        case missingKey = "missing_key"
        /// A change of the root that leaves a role without enough keys, or changes nothing.
        case invalidChange = "invalid_change"
        /// A passphrase that does not open the key file.
        case wrongPassphrase = "wrong_passphrase"
        /// A key file that is cut, altered, or not one at all.
        case damagedKeyFile = "damaged_key_file"
    }

    /// The kind of error, for callers that branch.
    public let code: Code
    /// The role whose metadata it is about, if there is one.
    public let role: MetadataRole?
    /// What is wrong, where, and what to do. Never holds a secret.
    public let message: String

    /// Creates an error of a kind, about a role's metadata or key.
    public init(_ code: Code, _ role: MetadataRole? = nil, _ message: String) {
        self.code = code
        self.role = role
        self.message = message
    }

    public var description: String { "\(code.rawValue): \(message)" }
}
