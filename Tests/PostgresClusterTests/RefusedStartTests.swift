import Foundation
import RegistryTesting
import Testing

@testable import PostgresCluster

@Suite struct RefusedStartTests {
    @Test func namesThePackageWhenPostgresIsMissing() async throws {
        try await ClusterFixture.with { fixture in
            let error = try await fixture.startError { $0.binaryDirectory = "/nowhere/bin" }
            #expect(error.code == .binariesMissing)
            #expect(error.message.contains("/nowhere/bin") && error.message.contains("apt-get install postgresql"))
            #expect(!FileManager.default.fileExists(atPath: fixture.directory))
        }
    }

    @Test func refusesDataOfAnotherVersion() async throws {
        try await ClusterFixture.with { fixture in
            try fixture.write("9\n", to: "data/PG_VERSION")
            chmod(fixture.directory, 0o711)
            let error = try await fixture.startError()
            #expect(error.code == .versionMismatch)
            #expect(error.message.contains("apt-get install postgresql-9"))
            #expect(fixture.contents() == ["data"])
        }
    }

    @Test func refusesADirectoryThatHoldsSomethingElse() async throws {
        try await ClusterFixture.with { fixture in
            try fixture.write("mine", to: "data/notes.txt")
            chmod(fixture.directory, 0o711)
            #expect(try await fixture.startError().code == .directoryUnusable)
            #expect(fixture.contents() == ["data"])
        }
    }

    @Test func refusesAFileForADirectory() async throws {
        try await ClusterFixture.with { fixture in
            try fixture.write("", to: "file")
            var deeper = PostgresCluster.Configuration(directory: "\(fixture.directory)/file/cluster")
            deeper.durable = false
            #expect(try await fixture.startError { $0 = deeper }.code == .directoryUnusable)
        }
    }

    @Test func showsTheLogWhenPostgresDoesNotComeUp() async throws {
        try await ClusterFixture.with { fixture in
            try await fixture.start().stop()
            try fixture.write("no_such_setting = 1\n", to: "data/postgresql.auto.conf")
            let error = try await fixture.startError()
            #expect(error.code == .startFailed)
            #expect(error.message.contains("unrecognized configuration parameter \"no_such_setting\""))
            #expect(fixture.contents() == ["data", "postgres.log"])
        }
    }

    @Test func givesUpAfterTheTimeout() async throws {
        try await ClusterFixture.with { fixture in
            try await fixture.start().stop()
            #expect(try await fixture.startError { $0.startTimeout = .zero }.code == .startFailed)
            #expect(fixture.contents() == ["data", "postgres.log"])
        }
    }

    @Test func refusesASocketDirectoryOfSomebodyElse() async throws {
        try await ClusterFixture.with(String(repeating: "long", count: 30)) { fixture in
            var undo = Undo()
            let socket = try ClusterDirectory(making: fixture.directory, undo: &undo).socket
            try FileManager.default.createSymbolicLink(atPath: socket, withDestinationPath: "/tmp")
            defer { unlink(socket) }
            let error = try await fixture.startError()
            #expect(error.code == .directoryUnusable && error.message.contains(socket))
        }
    }
}

@Suite(.enabled(if: geteuid() == 0, "the account is changed by root only"))
struct UnprivilegedAccountTests {
    @Test func postgresRunsAsTheAccountAndRootConnects() async throws {
        try await ClusterFixture.with { fixture in
            let cluster = try await fixture.start()
            var status = stat()
            #expect(stat("/proc/\(cluster.process.processIdentifier)", &status) == 0 && status.st_uid != 0)
            #expect(try await cluster.ask("SELECT 1") == "1")
            try await cluster.stop()
        }
    }

    @Test func refusesADirectoryThatTheAccountCannotEnter() async throws {
        try await ClusterFixture.with("closed/inner/cluster") { fixture in
            let closed = String(fixture.directory.dropLast("/inner/cluster".count))
            #expect(mkdir(closed, 0o700) == 0)
            let error = try await fixture.startError()
            #expect(error.code == .directoryUnreachable)
            #expect(error.message.contains("cannot enter \(closed):"))
            #expect(error.message.contains("chmod o+x \(closed)'"))
            #expect(try FileManager.default.contentsOfDirectory(atPath: closed) == [])
        }
    }

    @Test(arguments: ["no-such-account", "root"])
    func refusesAnAccountThatCannotRunPostgres(name: String) async throws {
        try await ClusterFixture.with { fixture in
            let error = try await fixture.startError { $0.unprivilegedAccount = name }
            #expect(error.code == .accountMissing && error.message.contains("'\(name)'"))
            #expect(!FileManager.default.fileExists(atPath: fixture.directory))
        }
    }

    @Test func refusesDataOfAnotherAccount() async throws {
        try await ClusterFixture.with { fixture in
            try await fixture.start().stop()
            #expect(chown(fixture.data, 65_534, 65_534) == 0)
            let error = try await fixture.startError()
            #expect(error.code == .directoryUnusable && error.message.contains("chown -R postgres \(fixture.data)"))
        }
    }
}
