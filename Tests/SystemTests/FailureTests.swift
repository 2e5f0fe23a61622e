import EnsembleModel
import Foundation
import RegistryAPI
import RegistryTesting
import Testing
import Trust

/// Daemons and workers that are killed, doubled or cut off from their database.
@Suite(.serialized) struct FailureTests {
    @Test func aKilledDaemonLosesNothing() async throws {
        try await ScratchDirectory.with { folder in
            let task = try SimulatedTask(rowCount: 200)
            let first = try await RunningRegistry.start(in: folder)
            try await first.create("pets", task)
            let file = try first.file("m.csv", task.csv(task.predictions(skill: 1, seed: 1)))
            #expect(try await first.command("submit", "pets", "m@1", "--predictions", file).status == 0)
            await first.daemon.end(SIGKILL)

            let second = try await RunningRegistry.start(in: folder)
            let founded: Outcome = try await second.json("ensembles", "found", "pets", "--wait")
            #expect(founded.decision?.verdict == .admit)
            #expect(await second.daemon.end() == 0)
        }
    }

    @Test func aNodeNeedsARootToTrust() async throws {
        try await ScratchDirectory.with { folder in
            let arguments = [
                "run", "--registry", "http://127.0.0.1:9", "--ensemble", "pets", "--state", folder.path + "/node",
                "--listen", "127.0.0.1:0",
            ]
            let without = try await Programs.run("registry-node", arguments)
            #expect(without.status == 1)
            #expect(without.errors.contains("--root FILE"), "\(without.errors)")
            let file = folder.appendingPathComponent("root.json")
            let missing = try await Programs.run("registry-node", arguments + ["--root", file.path])
            #expect(missing.status == 1)
            #expect(missing.errors.contains(file.path), "\(missing.errors)")
            try Data("{}".utf8).write(to: file)
            let wrong = try await Programs.run("registry-node", arguments + ["--root", file.path])
            #expect(wrong.status == 1)
            #expect(wrong.errors.contains("the root file is not one"), "\(wrong.errors)")
        }
    }

    @Test(.timeLimit(.minutes(1))) func programsEndWithWhatStartedThem() async throws {
        try await ScratchDirectory.with { folder in
            let registry = try await RunningRegistry.start(in: folder)
            let key = SigningKey()
            var root = try RootProposal(
                first: .first(
                    keys: Dictionary(uniqueKeysWithValues: MetadataRole.allCases.map { ($0, [key.publicKey]) }),
                    now: Date(timeIntervalSince1970: 1_900_000_000)))
            try root.sign(with: key)
            let rootFile = try registry.file("root.json", String(decoding: root.finished().bytes, as: UTF8.self))
            let node = try await RunningProgram(
                "registry-node",
                [
                    "run", "--registry", registry.url, "--ensemble", "pets", "--state", folder.path + "/node",
                    "--listen", "127.0.0.1:0", "--root", rootFile,
                ], folder: folder)
            #expect(try await node.abandon() == 0)
            #expect(try await registry.daemon.abandon() == 0)
            // Its Postgres went with it.
            let postmaster = registry.dataDirectory + "/postgres/data/postmaster.pid"
            #expect(!FileManager.default.fileExists(atPath: postmaster))
        }
    }

    @Test func aSecondDaemonOnTheSameDirectoryIsRefused() async throws {
        try await RunningRegistry.with { registry in
            let second = try await Programs.run(
                "registryd", ["serve", "--listen", "127.0.0.1:0", "--data-dir", registry.dataDirectory])
            #expect(second.status != 0)
            #expect(second.errors.contains("\(registry.daemon.pid)"), "\(second.errors)")
            #expect(try await registry.command("ensembles", "list").status == 0)
        }
    }

    @Test func aKilledWorkerIsReplacedAndItsEvaluationRepeated() async throws {
        try await RunningRegistry.with { registry in
            let task = try SimulatedTask(rowCount: 5_000)
            try await registry.create("pets", task)
            for seed in 1...4 {
                let file = try registry.file(
                    "m\(seed).csv", task.csv(task.predictions(skill: Double(seed), seed: UInt64(seed))))
                #expect(try await registry.command("submit", "pets", "m\(seed)@1", "--predictions", file).status == 0)
            }
            struct Started: Decodable { var evaluation: EvaluationRecord }
            let started: Started = try await registry.json("ensembles", "found", "pets")
            let worker = try #require(await workerWhenEvaluating(registry))
            kill(worker, SIGKILL)
            let founded: Outcome = try await registry.json("ensembles", "found", "pets", "--wait")
            #expect(founded.decision?.verdict == .admit)
            #expect(founded.decision?.evaluation == started.evaluation.id)
            #expect(registry.daemon.logged.contains("attempt=2"))
        }
    }

    /// The worker's process id, read from the daemon's log once it has begun to evaluate.
    private func workerWhenEvaluating(_ registry: RunningRegistry) async throws -> Int32? {
        let deadline = ContinuousClock.now + .seconds(60)
        while ContinuousClock.now < deadline {
            let log = registry.daemon.logged
            if log.contains("Evaluation began"),
                let line = log.split(separator: "\n").last(where: { $0.contains("Worker started") })
            {
                return line.split(separator: " ").first { $0.hasPrefix("pid=") }.flatMap { Int32($0.dropFirst(4)) }
            }
            try await Task.sleep(for: .milliseconds(10))
        }
        return nil
    }

    @Test func aTakenAddressIsSaidBeforeAnythingIsMade() async throws {
        try await RunningRegistry.with { registry in
            let other = registry.folder.appendingPathComponent("other").path
            let second = try await Programs.run(
                "registryd", ["serve", "--listen", registry.daemon.address, "--data-dir", other])
            #expect(second.status == 1)
            #expect(second.errors.contains(registry.daemon.address), "\(second.errors)")
            #expect(second.errors.contains("--listen"), "\(second.errors)")
            #expect(!FileManager.default.fileExists(atPath: other))
        }
    }

    @Test(arguments: ["/nonexistent/lib_lightgbm.so", "/bin/sh"])
    func aDaemonWithWorkersNeedsLightGBM(library: String) async throws {
        try await ScratchDirectory.with { folder in
            let directory = folder.appendingPathComponent("registry").path
            let result = try await Programs.run(
                "registryd", ["serve", "--listen", "127.0.0.1:0", "--data-dir", directory],
                environment: ["LIGHTGBM_LIBRARY": library])
            #expect(result.status == 1)
            #expect(result.errors.contains(library), "\(result.errors)")
            #expect(result.errors.contains("deploy/setup"), "\(result.errors)")
            #expect(!FileManager.default.fileExists(atPath: directory))
            let without = try await RunningProgram(
                "registryd", ["serve", "--listen", "127.0.0.1:0", "--data-dir", directory, "--workers", "0"],
                environment: ["LIGHTGBM_LIBRARY": library], folder: folder)
            #expect(await without.end() == 0)
        }
    }

    @Test func anUnreachableDatabaseIsSaidClearly() async throws {
        try await ScratchDirectory.with { folder in
            let result = try await Programs.run(
                "registryd", ["serve", "--listen", "127.0.0.1:0", "--data-dir", folder.path],
                environment: ["DATABASE_URL": "postgres://registry:secret@127.0.0.1:1/registry"])
            #expect(result.status != 0)
            #expect(result.errors.contains("database"), "\(result.errors)")
            #expect(!result.errors.contains("secret"))
        }
    }

    @Test func listeningToOthersNeedsTokens() async throws {
        try await ScratchDirectory.with { folder in
            let result = try await Programs.run(
                "registryd",
                ["serve", "--listen", "0.0.0.0:0", "--data-dir", folder.appendingPathComponent("registry").path])
            #expect(result.status != 0)
            #expect(result.errors.contains("registry tokens create"), "\(result.errors)")
        }
    }

    @Test func theLocalAdminTokenIsForItsOwnerOnly() async throws {
        try await RunningRegistry.with { registry in
            let attributes = try FileManager.default.attributesOfItem(atPath: registry.tokenFile)
            #expect(attributes[.posixPermissions] as? Int == 0o600)
            let without = try await Programs.run(
                "registry", ["ensembles", "list"],
                environment: ["REGISTRY_URL": registry.url, "HOME": "/nonexistent", "XDG_DATA_HOME": "/nonexistent"])
            #expect(without.status == 6)
        }
    }

    @Test func exitStatusesTellWhatHappened() async throws {
        try await RunningRegistry.with { registry in
            try await registry.create("pets", SimulatedTask(rowCount: 200))
            let bad = try registry.file("bad.csv", "id,cat,dog,owl\nr0000,0.5,0.5,0.5\n")
            let refused = try await registry.command("submit", "pets", "m@1", "--predictions", bad)
            #expect(refused.status == 3)
            #expect(refused.errors.contains("r0000"), "\(refused.errors)")
            #expect(try await registry.command("submit", "pets", "m@1").status == 2)
            #expect(try await registry.command("ensembles", "show", "cats").status == 1)
            let nowhere = try await Programs.run(
                "registry", ["ensembles", "list"],
                environment: ["REGISTRY_URL": "http://127.0.0.1:1", "REGISTRY_TOKEN": "x"])
            #expect(nowhere.status == 7)
        }
    }
}
