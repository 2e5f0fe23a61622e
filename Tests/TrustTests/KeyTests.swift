import EnsembleModel
import Foundation
import Testing

@testable import Trust

@Suite("Keys")
struct KeyTests {
    /// RFC 8032, section 7.1, test 2.
    private static let seed = "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb"
    private static let publicKey = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
    private static let signature =
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c"
        + "387b2eaeb4302aeeb00d291612bb0c00"

    private func key() throws -> SigningKey { try SigningKey(seed: #require([UInt8](hexadecimal: Self.seed))) }

    @Test("Ed25519 is RFC 8032's")
    func vectors() throws {
        let key = try key()
        let signature = try #require([UInt8](hexadecimal: Self.signature))
        #expect(key.publicKey.ed25519?.hexadecimal == Self.publicKey)
        #expect(key.publicKey.isValid(signature, of: [0x72]))
        #expect(key.publicKey.isValid(try key.sign([0x72]), of: [0x72]))
        #expect(!key.publicKey.isValid(signature, of: [0x73]))
        #expect(!key.publicKey.isValid([], of: [0x72]))
        #expect(throws: TrustError.self) { try SigningKey(seed: [1, 2, 3]) }
    }

    @Test("key ids are securesystemslib's")
    func keyID() throws {
        // securesystemslib 1.6.0: CryptoSigner(Ed25519PrivateKey.from_private_bytes(seed)).public_key.keyid
        #expect(try key().publicKey.keyID == "eaf1e23f6c823132f437a2eaa299a7950f7386631deff273db195bbd26209e2b")
    }

    @Test("a private key never shows itself")
    func secrecy() throws {
        let key = try key()
        var dumped = ""
        dump([key], to: &dumped)
        for text in ["\(key)", String(reflecting: key), "\([key])", "\(Optional(key) as Any)", dumped] {
            #expect(text.contains(key.publicKey.keyID.prefix(8)))
            #expect(!text.contains(Self.seed.prefix(8)))
            #expect(!text.contains("PrivateKey("))
        }
    }

    @Test("a key file opens with its passphrase, and tells role and public key without it")
    func keyFile() throws {
        let key = try key()
        let made = try KeyFile(sealing: key, for: .snapshot, passphrase: "correct horse", cost: .cheap)
        let file = try KeyFile(parsing: made.bytes)
        #expect((file.role, file.publicKey) == (.snapshot, key.publicKey))
        #expect(try file.open(passphrase: "correct horse").seed == key.seed)
        #expect(!String(decoding: made.bytes, as: UTF8.self).contains(Self.seed))
        for wrong in ["", "Correct horse", "correct horse "] {
            let error = #expect(throws: TrustError.self) { try file.open(passphrase: wrong) }
            #expect(error?.code == .wrongPassphrase)
        }
        let again = try KeyFile(sealing: key, for: .snapshot, passphrase: "correct horse", cost: .cheap)
        #expect(again.bytes != made.bytes, "salt and nonce are random")
    }

    @Test("the standard cost opens too")
    func standardCost() throws {
        let key = try key()
        let file = try KeyFile(sealing: key, for: .root, passphrase: "p")
        #expect(try KeyFile(parsing: file.bytes).open(passphrase: "p").seed == key.seed)
        #expect(String(decoding: file.bytes, as: UTF8.self).contains(#""n":131072"#))
    }

    @Test("no passphrase and a cost that nobody can bear are refused")
    func refusedSealing() throws {
        let key = try key()
        #expect(throws: TrustError.self) { try KeyFile(sealing: key, for: .root, passphrase: "") }
        for rounds in [0, 512, 3_000, 1 << 21] {
            #expect(throws: TrustError.self) {
                try KeyFile(sealing: key, for: .root, passphrase: "p", cost: .init(rounds: rounds))
            }
        }
    }

    @Test("every cut and every flipped bit of a key file is told as damage, or opens to the same key")
    func damage() throws {
        let key = try key()
        let bytes = try KeyFile(sealing: key, for: .root, passphrase: "p", cost: .cheap).bytes
        var whole = 0
        func check(_ damaged: [UInt8]) {
            do {
                let file = try KeyFile(parsing: damaged)
                if (try? file.open(passphrase: "p").seed) != key.seed || file.role != .root {
                    Issue.record("another key: \(String(decoding: damaged, as: UTF8.self))")
                }
                whole += 1
            } catch {
                if error.code != .damagedKeyFile { Issue.record("\(error)") }
            }
        }
        for count in bytes.indices { check(Array(bytes[..<count])) }
        #expect(whole == 1, "only the line's end may be missing")
        var damaged = bytes
        for index in bytes.indices {
            for bit in 0..<8 {
                damaged[index] ^= 1 << bit
                check(damaged)
                damaged[index] ^= 1 << bit
            }
        }
        #expect(whole < 10)
    }

    @Test("a swapped role, or another's public key, with a checksum made to fit, does not open")
    func forgery() throws {
        let file = try KeyFile(sealing: try key(), for: .timestamp, passphrase: "p", cost: .cheap)
        guard case .object(var members) = try CanonicalValue(strictJSON: file.bytes) else { return }
        members["role"] = "root"
        members["checksum"] = nil
        members["checksum"] = .string(CanonicalValue.object(members).digest.hex)
        let forged = try KeyFile(parsing: CanonicalValue.object(members).bytes)
        #expect(forged.role == .root)
        let error = #expect(throws: TrustError.self) { try forged.open(passphrase: "p") }
        #expect(error?.code == .wrongPassphrase)
    }
}

extension KeyFile.Cost {
    /// For tests only: 1 MiB a guess.
    static let cheap = Self(rounds: 1 << 10)
}
