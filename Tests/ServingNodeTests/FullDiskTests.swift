import AsyncHTTPClient
import EnsembleModel
import Foundation
import Hummingbird
import HummingbirdTesting
import NIOCore
import NIOHTTP1
import RegistryTesting
import Testing

@testable import ServingNode

/// The real program on a disk without a byte left.
@Suite struct FullDiskTests {
    /// A file system of 256 KiB, mounted on a folder.
    private struct SmallDisk {
        let folder: URL

        /// Nil where this process may not mount anything.
        init?(on folder: URL) {
            self.folder = folder
            guard mkdir(folder.path, 0o755) == 0, mount("tmpfs", folder.path, "tmpfs", 0, "size=256k") == 0 else {
                return nil
            }
        }

        private var filler: String { folder.appendingPathComponent("filler").path }

        /// Leaves not a byte.
        func fill() throws {
            let descriptor = open(filler, O_WRONLY | O_CREAT | O_APPEND, 0o644)
            defer { close(descriptor) }
            let page = [UInt8](repeating: 1, count: 4096)
            while write(descriptor, page, page.count) > 0 {}
            try #require(errno == ENOSPC)
        }

        func free() throws { try #require(unlink(filler) == 0) }
        func unmount() { umount2(folder.path, Int32(MNT_DETACH)) }

        /// Whether this process may mount file systems.
        static let isPossible: Bool = {
            let folder = FileManager.default.temporaryDirectory.appendingPathComponent("small-disk-\(UUID())")
            defer { rmdir(folder.path) }
            guard let disk = SmallDisk(on: folder) else { return false }
            disk.unmount()
            return true
        }()
    }

    private static func sequence(_ node: RunningProgram) async throws -> String {
        let request = HTTPClientRequest(url: "http://\(node.address)/v2/models/digits")
        let answer = try await HTTPClient.shared.execute(request, timeout: .seconds(30))
        let text = String(buffer: try await answer.body.collect(upTo: 1 << 20))
        return text.firstMatch(of: /"sequence":(\d+)/).map { String($0.1) } ?? "\(answer.status.code)"
    }

    private static func wait(for sequence: String, _ node: RunningProgram) async throws {
        let deadline = ContinuousClock.now + .seconds(60)
        while try await Self.sequence(node) != sequence, ContinuousClock.now < deadline {
            try await Task.sleep(for: .milliseconds(20))
        }
        #expect(try await Self.sequence(node) == sequence)
    }

    @Test(.enabled(if: SmallDisk.isPossible, "mounting a small disk needs root's rights"))
    func startsAndServesWhatItHasAndFollowsOnceThereIsRoom() async throws {
        let registry = try RegistryStandIn()
        let application = Application(
            router: registry.router(), configuration: .init(address: .hostname("127.0.0.1", port: 0)),
            logger: FollowerFixture.logger)
        try await ScratchDirectory.with { folder in
            let disk = try #require(SmallDisk(on: folder.appendingPathComponent("disk")))
            defer { disk.unmount() }
            let root = folder.appendingPathComponent("root.json")
            try Data(registry.root).write(to: root)
            try await application.test(.live) { http in
                func start() async throws -> RunningProgram {
                    try await RunningProgram(
                        "registry-node",
                        [
                            "run", "--registry", "http://127.0.0.1:\(#require(http.port))", "--ensemble", "digits",
                            "--state", disk.folder.appendingPathComponent("state").path, "--root", root.path,
                            "--listen", "127.0.0.1:0",
                        ], folder: folder)
                }
                let first = try Release(1)
                try registry.publish(first)
                var node = try await start()
                try await Self.wait(for: "1", node)
                #expect(await node.end() == 0)

                try disk.fill()
                let second = try Release(2, .three, after: first)
                try registry.publish(second)
                node = try await start()
                do {
                    #expect(try await Self.sequence(node) == "1")
                    let deadline = ContinuousClock.now + .seconds(60)
                    while registry.state.reports.last?.report.refusal?.code != "disk_full",
                        ContinuousClock.now < deadline
                    {
                        try await Task.sleep(for: .milliseconds(20))
                    }
                    let report = try #require(registry.state.reports.last?.report)
                    #expect(report.refusal?.code == "disk_full" && report.attempted == second.digest)
                    #expect(report.running?.sequence == 1)
                    #expect(try await Self.sequence(node) == "1")
                    try disk.free()
                    try await Self.wait(for: "2", node)
                } catch {
                    await node.end(SIGKILL)
                    throw error
                }
                #expect(await node.end() == 0)
                registry.change { $0.position = nil }
            }
        }
    }
}
