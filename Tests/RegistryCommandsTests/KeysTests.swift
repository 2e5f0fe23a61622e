import Foundation
import KeyFiles
import RegistryAPI
import Testing
import Trust

@testable import RegistryCommands

/// Ceremonies as people hold them, on real folders.
struct KeysTests {
    private struct Report: Decodable {
        struct Role: Decodable {
            struct Key: Decodable {
                var id: String
                var file: String?
                var hasSigned: Bool?
            }
            var role: String
            var threshold: Int
            var keys: [Key]
            var isMet: Bool
        }
        struct Missing: Decodable {
            var rootVersion: Int
            var signatures: Int
            var of: [String]
        }
        var version: Int
        var isComplete: Bool
        var roles: [Role]
        var missing: [Missing]
        var unnamed: [String]
        var written: [String]
    }

    private static let environment = ["REGISTRY_KEYS_PASSPHRASE": "correct horse"]

    private static func run(_ arguments: [String], in folder: URL, expecting status: Int32 = 0) async throws -> Report {
        let run = await Transcript.run(
            ["keys"] + arguments + ["--keys", folder.path, "--json"], environment: environment)
        #expect(run.status == status, "\(run.errors)")
        return try APIJSON.decoder().decode(Report.self, from: Data(run.output.utf8))
    }

    private static func names(_ folder: URL) throws -> Set<String> {
        Set(try FileManager.default.contentsOfDirectory(atPath: folder.path))
    }

    @Test func initMakesWhatADaemonSignsWith() async throws {
        try await withScratchFolder { scratch in
            let folder = scratch.appending(path: "keys")
            let made = try await Self.run(["init", "--root-keys", "1", "--threshold", "1"], in: folder)
            #expect((made.version, made.isComplete) == (1, true))
            #expect(made.roles.map(\.role) == ["root", "targets", "snapshot", "timestamp"])
            #expect(made.roles.allSatisfy { $0.isMet && $0.keys.count == 1 })
            #expect(made.written.count == 5)
            let files = try made.written.map { try FileManager.default.attributesOfItem(atPath: $0) }
            #expect(files.map { $0[.posixPermissions] as? Int } == [0o600, 0o600, 0o600, 0o600, 0o644])
            #expect(try FileManager.default.attributesOfItem(atPath: folder.path)[.posixPermissions] as? Int == 0o700)

            let directory = KeyDirectory(path: folder.path)
            let keys = try directory.signingKeys(passphrase: "correct horse")
            let root = try #require(try directory.root())
            let writer = try MetadataWriter(root: root.bytes, keys: keys, ensemble: "e")
            #expect(MetadataRole.allCases.map(writer.canSign) == [false, true, true, true])
            #expect(throws: TrustError.self) { try directory.signingKeys(passphrase: "wrong") }

            let again = await Transcript.run(
                ["keys", "init", "--keys", folder.path], environment: Self.environment)
            #expect(again.status == 3)
            #expect(again.errors.contains("has a root already"))
            #expect(try Self.names(folder).count == 6)
        }
    }

    /// Three holders, two of whom must sign: nobody ever has two root keys in one place.
    @Test func holdersApartReachTheThresholdTogether() async throws {
        try await withScratchFolder { scratch in
            func folder(_ name: String) throws -> URL {
                let folder = scratch.appending(path: name)
                try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
                return folder
            }
            func move(_ name: String, from: URL, to: URL) throws {
                try FileManager.default.moveItem(at: from.appending(path: name), to: to.appending(path: name))
            }
            func copy(_ name: String, from: URL, to: URL) throws {
                try? FileManager.default.removeItem(at: to.appending(path: name))
                try FileManager.default.copyItem(at: from.appending(path: name), to: to.appending(path: name))
            }
            let (desk, ann, bob) = (try folder("desk"), try folder("ann"), try folder("bob"))
            let made = try await Self.run(["init"], in: desk)
            #expect(made.roles[0].keys.count == 3 && made.roles[0].threshold == 2)
            let roots = try made.roles[0].keys.map { URL(filePath: try #require($0.file)).lastPathComponent }
            try move(roots[0], from: desk, to: ann)
            try move(roots[1], from: desk, to: bob)

            // The desk has the third: one signature of two.
            let proposed = try await Self.run(["rotate", "timestamp"], in: desk, expecting: 5)
            #expect((proposed.version, proposed.isComplete) == (2, false))
            #expect(proposed.missing.map { [$0.rootVersion, $0.signatures, $0.of.count] } == [[1, 1, 2], [2, 1, 2]])
            #expect(proposed.roles[0].keys.map(\.hasSigned) == [false, false, true])
            #expect(try KeyDirectory(path: desk.path).root()?.content.version == 1)
            let blocked = await Transcript.run(
                ["keys", "renew", "--keys", desk.path], environment: Self.environment)
            #expect(blocked.status == 3)
            #expect(blocked.errors.contains("waits for signatures"))
            let status = try await Self.run(["status"], in: desk)
            #expect((status.version, status.isComplete) == (2, false))

            // Bob signs a copy of what was proposed, and his signature completes the root on the desk.
            for name in ["root.json", "root.proposed.json"] { try copy(name, from: desk, to: bob) }
            let unsigned = try Data(contentsOf: bob.appending(path: "root.proposed.json"))
            let signed = try await Self.run(["sign"], in: bob)
            #expect(signed.isComplete)
            try unsigned.write(to: bob.appending(path: "root.proposed.json"))
            let merged = try await Self.run(
                ["sign", "--merge", bob.appending(path: "2.root.json").path], in: desk)
            #expect((merged.version, merged.isComplete) == (2, true))
            #expect(try Self.names(desk).isSuperset(of: ["1.root.json", "2.root.json", "root.json"]))
            #expect(try !Self.names(desk).contains("root.proposed.json"))

            // Ann's key is given along; nodes with root 1 follow.
            let renewed = try await Self.run(
                ["renew", "--sign-with", ann.appending(path: roots[0]).path], in: desk)
            #expect((renewed.version, renewed.isComplete) == (3, true))
            let chain = try (1...3).map { Array(try Data(contentsOf: desk.appending(path: "\($0).root.json"))) }
            #expect(try UpdateCycle(trusted: TrustedMetadata(roots: chain), ensemble: nil).root.version == 3)
        }
    }

    @Test func keysAreAddedAndRevokedByTheStartOfTheirID() async throws {
        try await withScratchFolder { scratch in
            let folder = scratch.appending(path: "keys")
            let made = try await Self.run(["init", "--root-keys", "1", "--threshold", "1"], in: folder)
            let old = made.roles[1].keys[0].id
            let holder = scratch.appending(path: "holder")
            let created = await Transcript.run(
                ["keys", "create", "targets", "--keys", holder.path], environment: Self.environment)
            #expect(created.status == 0)
            let file = created.output.trimmingCharacters(in: .newlines)
            let added = try await Self.run(["add", "targets", "--public", file, "--threshold", "2"], in: folder)
            #expect((added.roles[1].keys.count, added.roles[1].threshold, added.roles[1].isMet) == (2, 2, false))
            #expect(added.roles[1].keys[1].file == nil)

            func refused(_ arguments: [String], _ status: Int32, _ message: String) async {
                let run = await Transcript.run(
                    ["keys"] + arguments + ["--keys", folder.path], environment: Self.environment)
                #expect(run.status == status, "\(run.errors)")
                #expect(run.errors.contains(message), "\(run.errors)")
                #expect(run.output == "")
            }
            await refused(["revoke", "targets", String(old.prefix(10))], 3, "targets would have 1 keys")
            await refused(["revoke", "targets", "zz"], 2, "0 of the targets keys start with 'zz'")
            await refused(["rotate", "targets"], 2, "2 of the targets keys could be meant")
            await refused(["add", "targets", "--public", file], 3, "has the key")
            await refused(["add", "snapshot", "--public", file], 3, "is a targets key, not a snapshot key")
            await refused(
                ["add", "snapshot", "--threshold", "3"], 3, "snapshot would have 2 keys for a threshold of 3")
            await refused(["add", "targets", "--public", "/nowhere.key"], 1, "there is no key file /nowhere.key")
            await refused(["sign"], 3, "nothing waits for signatures")
            // What was refused left no key behind.
            #expect(try Self.names(folder).filter { $0.hasSuffix(".key") }.count == 4)
            let revoked = try await Self.run(
                ["revoke", "targets", String(old.prefix(10)), "--threshold", "1"], in: folder)
            #expect((revoked.version, revoked.roles[1].keys.count) == (3, 1))
            #expect(revoked.unnamed == [made.roles[1].keys[0].file])
            let shown = await Transcript.run(["keys", "status", "--keys", folder.path])
            #expect(shown.output.contains("targets    1 of 1     "))
            #expect(shown.output.contains("not named by this root: \(revoked.unnamed[0])"))
        }
    }

    @Test func aWrongPassphraseAndADamagedFileAreTold() async throws {
        try await withScratchFolder { scratch in
            let folder = scratch.appending(path: "keys")
            let made = try await Self.run(["init", "--root-keys", "1", "--threshold", "1"], in: folder)
            let wrong = await Transcript.run(
                ["keys", "renew", "--keys", folder.path], environment: ["REGISTRY_KEYS_PASSPHRASE": "wrong"])
            #expect(wrong.status == 6)
            #expect(wrong.errors.contains("root-") && wrong.errors.contains("the passphrase does not open"))
            let nobody = await Transcript.run(["keys", "renew", "--keys", folder.path])
            #expect(nobody.status == 2)
            #expect(nobody.errors.contains("nobody to ask"))
            // Without a key to make or to open, no passphrase is needed.
            let status = await Transcript.run(["keys", "status", "--keys", folder.path])
            #expect(status.status == 0)
            #expect(status.output.contains("version 1, valid"))
            let file = try #require(made.roles[3].keys[0].file)
            try Data("{}".utf8).write(to: URL(filePath: file))
            let damaged = await Transcript.run(["keys", "status", "--keys", folder.path])
            #expect(damaged.status == 1)
            #expect(damaged.errors.contains(file) && damaged.errors.contains("no whole key file"))
            let empty = await Transcript.run(["keys", "status", "--keys", scratch.path])
            #expect(empty.status == 3)
            #expect(empty.errors.contains("registry keys init"))
        }
    }

    @Test func thePassphraseComesFromAFileWithoutItsLineEnd() async throws {
        try await withScratchFolder { scratch in
            let file = scratch.appending(path: "passphrase")
            try Data("  spaces count \n".utf8).write(to: file)
            let folder = scratch.appending(path: "keys").path
            let made = await Transcript.run([
                "keys", "create", "root", "--keys", folder, "--passphrase-file", file.path,
            ])
            #expect(made.status == 0)
            let key = try KeyDirectory.keyFile(made.output.trimmingCharacters(in: .newlines))
            _ = try key.open(passphrase: "  spaces count ")
            try Data("\n".utf8).write(to: file)
            let empty = await Transcript.run([
                "keys", "create", "root", "--keys", folder, "--passphrase-file", file.path,
            ])
            #expect(empty.status == 2)
        }
    }

    /// What a person types is asked for twice, where it protects a new key.
    @Test func aNewPassphraseIsAskedForTwice() async throws {
        try await withScratchFolder { scratch in
            let folder = scratch.appending(path: "keys").path
            let differing = await Transcript.run(["keys", "create", "root", "--keys", folder], answers: ["a", "b"])
            #expect(differing.status == 2)
            #expect(differing.errors.contains("the two passphrases differ"))
            let same = await Transcript.run(["keys", "create", "root", "--keys", folder], answers: ["a", "a"])
            #expect(same.status == 0)
            _ = try KeyDirectory.keyFile(same.output.trimmingCharacters(in: .newlines)).open(passphrase: "a")
        }
    }
}
