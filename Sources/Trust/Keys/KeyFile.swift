import Crypto
import CryptoExtras
import EnsembleModel

import struct Foundation.Data

/// A private key encrypted under a passphrase: JSON whose role and public key anybody can read.
///
/// The passphrase becomes an AES-256-GCM key by scrypt (RFC 7914); everything else in the file is authenticated with
/// the ciphertext, and a checksum tells a damaged file from a wrong passphrase.
public struct KeyFile: Sendable {
    /// How dear one guess of the passphrase is.
    public struct Cost: Hashable, Sendable {
        /// scrypt's N, a power of two; memory is `128 * N * r` bytes.
        public var rounds: Int
        /// scrypt's r.
        public var blockSize = 8
        /// scrypt's p.
        public var parallelism = 1

        /// The cost with N rounds, r 8 and p 1.
        public init(rounds: Int) { self.rounds = rounds }

        /// N 2^17, r 8, p 1: 128 MiB and some tenths of a second a guess.
        public static let standard = Cost(rounds: 1 << 17)

        /// Whether opening stays within 1 GiB and a few seconds.
        var isBearable: Bool {
            (1 << 10...1 << 20).contains(rounds) && rounds & (rounds - 1) == 0 && (1...8).contains(blockSize)
                && (1...4).contains(parallelism)
        }
    }

    private static let type = "ensemble-registry-key"
    private static let version = 1
    /// A file's largest size, in bytes.
    public static let maximumBytes = 16_384

    /// The role that the key signs for.
    public let role: MetadataRole
    /// The public half.
    public let publicKey: PublicKey
    /// The file.
    public let bytes: [UInt8]

    private let cost: Cost
    private let salt: [UInt8]
    private let sealed: AES.GCM.SealedBox
    private let header: CanonicalValue

    /// Encrypts a key; salt and nonce are random.
    ///
    /// - Throws: ``TrustError`` with code `invalid_change` for an empty passphrase, or a cost that no reader accepts.
    public init(
        sealing key: SigningKey, for role: MetadataRole, passphrase: String, cost: Cost = .standard
    ) throws(TrustError) {
        guard !passphrase.isEmpty else { throw TrustError(.invalidChange, role, "a key file needs a passphrase") }
        guard cost.isBearable else {
            throw TrustError(
                .invalidChange, role, "scrypt's N must be a power of two from 2^10 to 2^20, r at most 8, p at most 4")
        }
        self.role = role
        self.cost = cost
        publicKey = key.publicKey
        salt = SymmetricKey(size: .bits256).withUnsafeBytes { Array($0) }
        header = Self.header(role: role, publicKey: publicKey, cost: cost, salt: salt)
        do {
            let derived = try Self.derive(passphrase, salt: salt, cost: cost)
            sealed = try AES.GCM.seal(key.seed, using: derived, authenticating: header.bytes)
        } catch {
            throw TrustError(.unavailable, role, "the key cannot be encrypted: \(error)")
        }
        bytes = Self.file(header: header, sealed: sealed)
    }

    /// Reads a key file, without its private key.
    ///
    /// - Throws: ``TrustError`` with code `damaged_key_file`.
    public init(parsing bytes: [UInt8]) throws(TrustError) {
        guard bytes.count <= Self.maximumBytes else {
            throw TrustError(.damagedKeyFile, nil, "a key file has at most \(Self.maximumBytes) bytes")
        }
        do {
            let value = try CanonicalValue(strictJSON: bytes)
            var fields = try Fields(value, place: "the key file")
            guard try fields.string("type") == Self.type, try fields.integer("version", atLeast: 1) == Self.version
            else { throw fields.malformed("type and version are not '\(Self.type)' and \(Self.version)") }
            guard let role = MetadataRole(rawValue: try fields.string("role")) else {
                throw fields.malformed("'role' is none of TUF's")
            }
            var kdf = try fields.fields("kdf")
            var cipher = try fields.fields("cipher")
            guard try kdf.string("name") == "scrypt", try cipher.string("name") == "aes-256-gcm" else {
                throw fields.malformed("'kdf' and 'cipher' are not scrypt and aes-256-gcm")
            }
            var cost = Cost(rounds: try kdf.integer("n", atLeast: 1))
            cost.blockSize = try kdf.integer("r", atLeast: 1)
            cost.parallelism = try kdf.integer("p", atLeast: 1)
            guard cost.isBearable else { throw fields.malformed("scrypt would take too much time or memory") }
            let nonce = try AES.GCM.Nonce(data: cipher.bytes("nonce"))
            self.role = role
            self.cost = cost
            salt = try kdf.bytes("salt")
            publicKey = try PublicKey(fields.required("public_key"), place: "the key file's public_key")
            sealed = try AES.GCM.SealedBox(nonce: nonce, ciphertext: cipher.bytes("text"), tag: cipher.bytes("tag"))
            header = Self.header(role: role, publicKey: publicKey, cost: cost, salt: salt)
            self.bytes = bytes
            guard try CanonicalValue(strictJSON: Self.file(header: header, sealed: sealed)) == value else {
                throw fields.malformed("the checksum does not fit the rest")
            }
        } catch {
            throw TrustError(
                .damagedKeyFile, nil, "this is no whole key file: take it from a copy (\(error))")
        }
    }

    /// Decrypts the private key.
    ///
    /// - Throws: ``TrustError`` with code `wrong_passphrase`; `unavailable` without the memory that scrypt takes.
    public func open(passphrase: String) throws(TrustError) -> SigningKey {
        let derived: SymmetricKey
        do {
            derived = try Self.derive(passphrase, salt: salt, cost: cost)
        } catch {
            throw TrustError(.unavailable, role, "no key could be derived from the passphrase: \(error)")
        }
        guard let seed = try? AES.GCM.open(sealed, using: derived, authenticating: header.bytes) else {
            throw TrustError(
                .wrongPassphrase, role, "the passphrase does not open the \(role.rawValue) key \(publicKey.keyID)")
        }
        let key = try SigningKey(seed: Array(seed))
        guard key.publicKey == publicKey else {
            throw TrustError(
                .damagedKeyFile, role, "the private key in the file is not that of \(publicKey.keyID)")
        }
        return key
    }

    private static func derive(_ passphrase: String, salt: [UInt8], cost: Cost) throws -> SymmetricKey {
        try KDF.Scrypt.deriveKey(
            from: Array(passphrase.utf8), salt: salt, outputByteCount: 32, rounds: cost.rounds,
            blockSize: cost.blockSize, parallelism: cost.parallelism)
    }

    private static func header(
        role: MetadataRole, publicKey: PublicKey, cost: Cost, salt: [UInt8]
    ) -> CanonicalValue {
        [
            "kdf": [
                "name": "scrypt", "n": .integer(Int64(cost.rounds)), "r": .integer(Int64(cost.blockSize)),
                "p": .integer(Int64(cost.parallelism)), "salt": .string(salt.hexadecimal),
            ],
            "public_key": publicKey.value,
            "role": .string(role.rawValue),
            "type": .string(type),
            "version": .integer(Int64(version)),
        ]
    }

    private static func file(header: CanonicalValue, sealed: AES.GCM.SealedBox) -> [UInt8] {
        guard case .object(var members) = header else { return [] }
        members["cipher"] = [
            "name": "aes-256-gcm", "nonce": .string(Array(sealed.nonce).hexadecimal),
            "text": .string(sealed.ciphertext.hexadecimal), "tag": .string(sealed.tag.hexadecimal),
        ]
        members["checksum"] = .string(CanonicalValue.object(members).digest.hex)
        return CanonicalValue.object(members).bytes + [UInt8(ascii: "\n")]
    }
}
