public import EnsembleModel

public import struct Foundation.Date

/// What a role signs: TUF's `signed` object as a plain value.
public protocol SignedContent: Hashable, Sendable {
    /// The role that signs it.
    static var role: MetadataRole { get }
    /// The version, from 1.
    var version: Int { get }
    /// The time from which on a client refuses it as new.
    var expires: Date { get }
    /// The whole `signed` object.
    var value: CanonicalValue { get }
    /// Reads a `signed` object.
    ///
    /// - Throws: ``TrustError`` with code `malformed`.
    init(value: CanonicalValue) throws(TrustError)
}

extension SignedContent {
    /// Whether it is not, or no longer, to be taken at a time.
    public func isExpired(at now: Date) -> Bool { expires <= now }
}

/// The version of the TUF specification that our metadata names.
let specificationVersion = "1.0.31"

extension Fields {
    /// The common members of every role.
    init(signed value: CanonicalValue, role: MetadataRole) throws(TrustError) {
        try self.init(value, place: "the signed part of \(role.rawValue) metadata", role: role)
        guard try string("_type") == role.rawValue else { throw malformed("'_type' is another role") }
        let specification = try string("spec_version")
        guard specification.hasPrefix("1.") else { throw malformed("'spec_version' is not 1.x") }
    }

    mutating func version() throws(TrustError) -> Int { try integer("version", atLeast: 1) }

    mutating func expires() throws(TrustError) -> Date {
        guard let time = UTCTime.parse(try string("expires")) else {
            throw malformed("'expires' is no time like 2030-01-31T00:00:00Z")
        }
        return time
    }

    /// Who the metadata is for; nil when it does not say so.
    mutating func ensemble() throws(TrustError) -> String? {
        rest["ensemble"] == nil ? nil : try string("ensemble")
    }
}

extension CanonicalValue {
    /// A `signed` object of the common members and a role's own.
    static func signed(
        _ role: MetadataRole, version: Int, expires: Date, ensemble: String? = nil,
        _ own: [String: CanonicalValue], other: [String: CanonicalValue]
    ) -> CanonicalValue {
        var members = other.merging(own) { $1 }
        members["_type"] = .string(role.rawValue)
        members["spec_version"] = .string(specificationVersion)
        members["version"] = .integer(Int64(version))
        members["expires"] = .string(UTCTime.text(expires))
        members["ensemble"] = ensemble.map { .string($0) }
        return .object(members)
    }
}
