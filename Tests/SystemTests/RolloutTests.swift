import EnsembleModel
import Foundation
import RegistryAPI
import RegistryTesting
import Testing

/// A promotion that reaches real nodes one after the other, and one that they refuse.
@Suite struct RolloutTests {
    private static let names = ["north", "south", "west"]

    /// The nodes in the order in which a manifest reaches them.
    private static func turns(of sequence: Int) -> [String] {
        names.sorted { Rollout.cohort(node: $0, sequence: sequence) < Rollout.cohort(node: $1, sequence: sequence) }
    }

    /// A registry with an ensemble of one member, and nodes that serve it.
    private static func with(
        _ body: (RunningRegistry, SimulatedTask) async throws -> Void
    ) async throws {
        try await RunningRegistry.with { registry in
            let task = try SimulatedTask(rowCount: 400)
            try await registry.create("pets", task)
            let policy = try registry.file(
                "policy.yaml", "admission: shapley-top-k\nfounding: first\npreset: small\nrollout: {bake_seconds: 1}\n")
            #expect(try await registry.command("ensembles", "policy", "set", "pets", "--file", policy).status == 0)
            try await submit("fair@1", skill: 0.8, seed: 80, task, registry)
            var nodes: [String: RunningProgram] = [:]
            do {
                for name in names { nodes[name] = try await start(name, registry) }
                try await wait("all nodes report") {
                    try await reports(registry).filter { $0.standing == .current }.count == names.count
                }
                try await body(registry, task)
            } catch {
                for node in nodes.values { await node.end() }
                throw error
            }
            for node in nodes.values { await node.end() }
        }
    }

    private static func start(_ name: String, _ registry: RunningRegistry) async throws -> RunningProgram {
        try await RunningProgram(
            "registry-node",
            [
                "run", "--registry", registry.url, "--token-file", registry.tokenFile, "--root", registry.rootFile,
                "--ensemble", "pets", "--node-id", name, "--state", registry.folder.appendingPathComponent(name).path,
                "--listen", "127.0.0.1:0",
            ], folder: registry.folder)
    }

    private static func submit(
        _ model: String, skill: Double, seed: UInt64, _ task: SimulatedTask, _ registry: RunningRegistry
    ) async throws {
        let file = try registry.file("\(model).csv", task.csv(task.predictions(skill: skill, seed: seed)))
        let result = try await registry.command("submit", "pets", model, "--predictions", file, "--wait")
        #expect(result.status == 0, "\(result.errors)")
    }

    private static func reports(_ registry: RunningRegistry) async throws -> [NodeRecord] {
        try await registry.json("nodes", "pets", as: Page<NodeRecord>.self).items
    }

    /// Names of those that serve the newest manifest.
    private static func served(_ registry: RunningRegistry) async throws -> Set<String> {
        Set(try await reports(registry).filter { $0.standing == .current }.map(\.node))
    }

    private static func wait(_ what: String, until isTrue: () async throws -> Bool) async throws {
        let deadline = ContinuousClock.now + .seconds(60)
        while try await !isTrue() {
            try #require(ContinuousClock.now < deadline, "waiting until \(what)")
        }
    }

    @Test(.timeLimit(.minutes(5))) func nodesTakeAPromotionInTurnAndOneThatRefusesHaltsTheNext() async throws {
        try await Self.with { registry, task in
            try await Self.submit("good@1", skill: 3, seed: 7, task, registry)
            // Whoever serves it was reached: never more nodes than the cohorts before them.
            let turns = Self.turns(of: 2)
            var seen: [Set<String>] = []
            try await Self.wait("all nodes serve manifest 2") {
                let served = try await Self.served(registry)
                if seen.last != served { seen.append(served) }
                return served.count == turns.count
            }
            #expect(seen.allSatisfy { $0 == Set(turns.prefix($0.count)) }, "\(seen)")
            #expect(seen.contains([turns[0]]), "\(seen)")
            try await Self.wait("the rollout is complete") {
                try await registry.json("rollout", "show", "pets", as: RolloutRecord.self).state == .complete
            }

            try await Self.haltedByARefusal(registry, task)
        }
    }

    /// A node whose disk does not take manifest 3 refuses it, and the others stay where they are until somebody acts.
    private static func haltedByARefusal(_ registry: RunningRegistry, _ task: SimulatedTask) async throws {
        let turns = turns(of: 3)
        let slot = registry.folder.appendingPathComponent("\(turns[0])/pets/current.unfinished")
        try FileManager.default.createDirectory(at: slot, withIntermediateDirectories: false)
        try await submit("great@1", skill: 5, seed: 9, task, registry)
        try await wait("the rollout halts") {
            try await registry.json("rollout", "show", "pets", as: RolloutRecord.self).state == .halted
        }
        let halted = try await registry.command("rollout", "show", "pets")
        #expect(halted.output.hasPrefix("Manifest 3 of pets is halted at 1 of 3 nodes"), "\(halted.output)")
        #expect(halted.output.contains("\(turns[0]) refused it (download: state_directory_unusable)"))
        let nodes = try await reports(registry)
        #expect(nodes.first { $0.node == turns[0] }?.standing == .refused)
        #expect(nodes.filter { $0.standing == .waiting && $0.report.running?.sequence == 2 }.count == 2)

        // The way back goes to all at once.
        #expect(try await registry.command("rollback", "pets", "--to", "2", "--reason", "r").status == 0)
        #expect(try await registry.command("rollout", "show", "pets").status == 1)
        try await wait("the others serve manifest 4") { try await served(registry) == Set(turns.dropFirst()) }
    }
}
