import AsyncHTTPClient
import EnsembleModel
import Foundation
import NIOCore
import NIOFoundationCompat
import NIOHTTP1
import RegistryTesting
import Synchronization
import Testing
import Trust

@testable import ServingNode

/// The real program, killed in the middle of updates; `NODE_KILLS=200 deploy/test --filter KillTests` does it more
/// often.
@Suite struct KillTests {
    private static let environment = ProcessInfo.processInfo.environment
    private static let kills = environment["NODE_KILLS"].flatMap { Int($0) }
    private static let models = [TextModel.two, .three, .otherTwo]

    /// What a node says of the model that it serves.
    private struct Served: Decodable {
        struct Parameters: Decodable {
            let sequence: Int
            let content_id: ContentDigest
        }
        let parameters: Parameters
    }

    /// Registry, releases and how often a restart found which.
    private struct Run {
        let registry: RegistryStandIn
        let counter: RequestCounter
        let arguments: [String]
        let folder: URL
        var random: SplitMix64
        var releases: [Release] = []
        /// The newest sequence that was ever seen served.
        var highest = 0
        var foundOld = 0
        var foundNew = 0

        mutating func publishNext() throws {
            let next = releases.count + 1
            releases.append(try Release(next, KillTests.models[next % 3], after: releases.last))
            try registry.publish(releases[next - 1])
        }

        /// What is served; nil for nothing.
        func served(by node: RunningProgram) async throws -> Int? {
            let request = HTTPClientRequest(url: "http://\(node.address)/v2/models/digits")
            let answer = try await HTTPClient.shared.execute(request, timeout: .seconds(30))
            let body = try await answer.body.collect(upTo: 1 << 20)
            guard answer.status.code == 200 else {
                try #require(answer.status.code == 503, "\(String(buffer: body))")
                return nil
            }
            let served = try JSONDecoder().decode(Served.self, from: Data(buffer: body)).parameters
            try #require(releases.indices.contains(served.sequence - 1))
            #expect(served.content_id == releases[served.sequence - 1].manifest.contentID)
            return served.sequence
        }

        mutating func look(at node: RunningProgram) async throws {
            let sequence = try await served(by: node) ?? 0
            #expect(sequence >= highest, "the node went back")
            highest = max(highest, sequence)
        }

        /// Starts the node, looks at what it serves, publishes and kills it at some moment of the update.
        mutating func startAndKill() async throws {
            let node = try await RunningProgram("registry-node", arguments, folder: folder)
            do {
                try await look(at: node)
                if highest == releases.count { foundNew += 1 } else { foundOld += 1 }
                let requests = counter.value + Int.random(in: 0...7, using: &random)
                try publishNext()
                let deadline = ContinuousClock.now + .seconds(2)
                while counter.value < requests, ContinuousClock.now < deadline {
                    try await Task.sleep(for: .milliseconds(1))
                }
                try await Task.sleep(for: .microseconds(Int.random(in: 0...30_000, using: &random)))
                if Bool.random(using: &random) { try await look(at: node) }
            } catch {
                await node.end(SIGKILL)
                throw error
            }
            await node.end(SIGKILL)
        }

        /// Starts the node for good: it comes to the newest manifest.
        mutating func startAndCatchUp() async throws {
            let node = try await RunningProgram("registry-node", arguments, folder: folder)
            let deadline = ContinuousClock.now + .seconds(60)
            while highest < releases.count, ContinuousClock.now < deadline {
                try await Task.sleep(for: .milliseconds(20))
                try await look(at: node)
            }
            #expect(highest == releases.count)
            #expect(await node.end() == 0)
        }
    }

    @Test func aKilledNodeStartsAgainAndNeverGoesBack() async throws {
        let seed = UInt64.random(in: 0..<1 << 32)
        let counter = RequestCounter()
        let registry = try RegistryStandIn { _ in counter.add() }
        try await ScratchDirectory.with { folder in
            try await registry.serve(nodeIn: folder) { arguments in
                var run = Run(
                    registry: registry, counter: counter, arguments: arguments, folder: folder,
                    random: SplitMix64(seed: seed))
                try run.publishNext()
                for _ in 0..<(Self.kills ?? 6) { try await run.startAndKill() }
                try await run.startAndCatchUp()
                if Self.kills != nil {
                    let text =
                        "seed \(seed): after \(run.foundOld + run.foundNew) kills \(run.foundNew) restarts had the "
                        + "newest manifest, \(run.foundOld) an earlier one\n"
                    try FileHandle.standardError.write(contentsOf: Data(text.utf8))
                    #expect(run.foundOld > 0 && run.foundNew > 0, "the kills all came at the same moment")
                }
            }
        }
    }
}

/// Counts requests for signed files.
private final class RequestCounter: Sendable {
    private let count = Mutex(0)

    var value: Int { count.withLock { $0 } }
    func add() { count.withLock { $0 += 1 } }
}
