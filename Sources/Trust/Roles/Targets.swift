public import EnsembleModel

public import struct Foundation.Date

/// A file that nodes download, as its metadata describes it.
public struct TargetFile: Hashable, Sendable {
    /// Its path within the repository: `esci-us/manifest.json`. Never absolute, never with `..`.
    public let path: String
    /// Its length in bytes.
    public let length: Int
    /// Its digest.
    public let sha256: ContentDigest
    /// What else is said of it, free of form.
    public var custom: CanonicalValue?

    /// Describes a file.
    ///
    /// - Throws: ``TrustError`` with code `malformed` for a path that could lead out of a folder.
    public init(path: String, length: Int, sha256: ContentDigest) throws(TrustError) {
        guard Self.isSafe(path) else {
            throw TrustError(.malformed, .targets, "a target's path '\(path.prefix(128))' could lead out of its folder")
        }
        self.path = path
        self.length = length
        self.sha256 = sha256
    }

    /// Describes some bytes.
    ///
    /// - Throws: as ``init(path:length:sha256:)``.
    public init(path: String, bytes: [UInt8]) throws(TrustError) {
        try self.init(path: path, length: bytes.count, sha256: .of(bytes))
    }

    fileprivate init(path: String, _ value: CanonicalValue) throws(TrustError) {
        var fields = try Fields(value, place: "target \(path.prefix(128))", role: .targets)
        let length = try fields.integer("length", atLeast: 0)
        var hashes = try fields.fields("hashes")
        try self.init(path: path, length: length, sha256: hashes.digest("sha256"))
        custom = fields.take("custom")
    }

    fileprivate var value: CanonicalValue {
        var members: [String: CanonicalValue] = [
            "length": .integer(Int64(length)), "hashes": ["sha256": .string(sha256.hex)],
        ]
        members["custom"] = custom
        return .object(members)
    }

    /// The path that is fetched with consistent snapshots: the digest stands before the file's name.
    public var consistentPath: String {
        let folders = path.split(separator: "/").dropLast().map { $0 + "/" }.joined()
        return folders + sha256.hex + "." + path.dropFirst(folders.count)
    }

    private static func isSafe(_ path: String) -> Bool {
        path.utf8.count <= 1_024 && path.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F && $0 != UInt8(ascii: "\\") }
            && path.split(separator: "/", omittingEmptySubsequences: false).allSatisfy {
                !["", ".", ".."].contains($0)
            }
    }
}

/// The targets: the files of an ensemble's champion. One an ensemble; delegations are not followed.
public struct Targets: SignedContent {
    public static let role = MetadataRole.targets

    public var version: Int
    public var expires: Date
    /// The files, by path.
    public var files: [TargetFile]
    /// The ensemble that they are of; nil when it does not say so.
    public var ensemble: String?
    /// Members that we do not know, kept.
    public var other: [String: CanonicalValue] = [:]

    /// Creates targets; the order of files does not matter.
    public init(version: Int, expires: Date, files: [TargetFile], ensemble: String?) {
        self.version = version
        self.expires = expires
        self.files = files.sorted { $0.path.precedes($1.path) }
        self.ensemble = ensemble
    }

    public init(value: CanonicalValue) throws(TrustError) {
        var fields = try Fields(signed: value, role: .targets)
        version = try fields.version()
        expires = try fields.expires()
        files = []
        for (path, value) in try fields.members("targets") { files.append(try TargetFile(path: path, value)) }
        ensemble = try fields.ensemble()
        other = fields.rest
    }

    public var value: CanonicalValue {
        .signed(
            .targets, version: version, expires: expires, ensemble: ensemble,
            ["targets": .object(Dictionary(files.map { ($0.path, $0.value) }) { $1 })], other: other)
    }
}
