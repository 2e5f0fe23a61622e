import AsyncHTTPClient
import EnsembleModel
import Foundation
import Logging
import NIOCore
import NIOHTTP1
import RegistryClient
import RegistryTesting
import Testing

@testable import ServingNode

@Suite struct ServingNodeTests {
    private static func configuration(_ directory: URL) throws -> NodeConfiguration {
        // Port 9 (discard) answers nobody: the registry is away.
        try NodeConfiguration(
            registry: "http://127.0.0.1:9", token: nil, ensembles: ["digits"], stateDirectory: directory.path,
            listen: "127.0.0.1:0",
            addressFile: directory.appendingPathComponent("address").path)
    }

    @Test func servesFromDiskWhileTheRegistryIsAwayAndEndsWhole() async throws {
        try await ScratchDirectory.with { directory in
            let release = try Release(4)
            do {
                let slots = try StateDirectory(path: directory.path).slots(of: "digits", limits: NodeLimits())
                let combiner = directory.appendingPathComponent("digits/\(release.combiner.digest.hex).txt")
                try DurableFile.write(release.combiner.text, to: combiner)
                var repository = try SignedRepository()
                try slots.save(repository.slot(release), replacing: nil)
            }
            let address = AsyncStream.makeStream(of: NodeConfiguration.ListenAddress.self)
            let running = Task {
                defer { address.continuation.finish() }
                let node = try ServingNode(configuration: Self.configuration(directory), logger: FollowerFixture.logger)
                try await node.run { address.continuation.yield($0) }
            }
            var addresses = address.stream.makeAsyncIterator()
            let found = try #require(await addresses.next())
            #expect(
                try String(contentsOf: directory.appendingPathComponent("address"), encoding: .utf8) == "\(found)\n")
            // A client that does not try again to connect; its connection is kept open while the node ends.
            let client = try Self.configuration(directory).client(limits: NodeLimits()).httpClientConfiguration
            try await HTTPClient.withHTTPClient(configuration: client) { client in
                let request = HTTPClientRequest(url: "http://\(found)/v2/models/digits/versions/4/ready")
                let response = try await client.execute(request, timeout: .seconds(10))
                #expect(response.status == .ok)
                _ = try await response.body.collect(upTo: 1024)
                running.cancel()
                _ = await running.result
                // The lock is free and nobody answers any more.
                _ = try StateDirectory(path: directory.path)
                await #expect(throws: (any Error).self) { try await client.execute(request, timeout: .seconds(10)) }
            }
        }
    }

    @Test func saysThatTheAddressIsTaken() async throws {
        try await ScratchDirectory.with { directory in
            let root = directory.appendingPathComponent("root.json")
            try Data(SignedRepository().newestRoot).write(to: root)
            var configuration = try Self.configuration(directory)
            configuration = try NodeConfiguration(
                registry: configuration.registryURL, token: nil, ensembles: ["digits"], stateDirectory: directory.path,
                listen: "192.0.2.1:1", rootFile: root.path)
            let node = try ServingNode(configuration: configuration, logger: FollowerFixture.logger)
            let error = await #expect(throws: NodeError.self) { try await node.run() }
            #expect(error?.code == .cannotListen)
            #expect(error?.message.contains("192.0.2.1:1") == true)
        }
    }

    @Test(arguments: ["", "8480", "127.0.0.1", "127.0.0.1:", ":8480", "::1:8480", "127.0.0.1:99999", "host:-1"])
    func refusesAddresses(_ text: String) {
        #expect(throws: NodeError.self) { try NodeConfiguration.ListenAddress(text) }
    }

    @Test func readsAddresses() throws {
        let six = try NodeConfiguration.ListenAddress("[::1]:0")
        #expect((six.host, six.port) == ("::1", 0))
        #expect("\(six)" == "[::1]:0")
        #expect("\(try NodeConfiguration.ListenAddress("0.0.0.0:8480"))" == "0.0.0.0:8480")
    }

    struct BadConfiguration: Sendable {
        var registry = "http://127.0.0.1:8470"
        var token: String?
        var ensembles = ["digits"]
        var nodeID: String?
        var pin: Int?
        var waitSeconds = 45
    }

    @Test(arguments: [
        BadConfiguration(registry: "127.0.0.1"), BadConfiguration(token: "two words"), BadConfiguration(ensembles: []),
        BadConfiguration(ensembles: ["a", "a"]), BadConfiguration(ensembles: ["../x"]),
        BadConfiguration(nodeID: "a/b"), BadConfiguration(waitSeconds: -1), BadConfiguration(pin: 0),
        BadConfiguration(ensembles: ["a", "b"], pin: 1),
    ])
    func refusesConfigurations(_ bad: BadConfiguration) {
        let error = #expect(throws: NodeError.self) {
            try NodeConfiguration(
                registry: bad.registry, token: bad.token, ensembles: bad.ensembles, stateDirectory: "/tmp",
                listen: "127.0.0.1:0", nodeID: bad.nodeID, pin: bad.pin, waitSeconds: bad.waitSeconds)
        }
        #expect(error?.code == .invalidConfiguration)
    }
}
