import EnsembleModel
import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import NIOCore
import RegistryAPI
import RegistryTesting
import Testing

@testable import RegistryServer

/// Bad input is answered clearly, and nothing of it is stored.
@Suite struct RefusalTests {
    private struct Upload {
        var name: String
        var body: [UInt8]
        var headers: HTTPFields = [:]
        var query = "model=m@1"
        var problem = ProblemCode.invalidUpload
        /// Stable kind of fault that must be among those reported.
        var fault: String?
        /// What the answer must say.
        var says = ""
    }

    private static func csv(_ lines: [String]) -> [UInt8] {
        Array(("id,cat,dog,owl\n" + lines.joined(separator: "\n") + "\n").utf8)
    }

    /// A good body of 100 rows, to be spoiled.
    private static func lines() throws -> [String] {
        try SimulatedTask(rowCount: 200).validation.rowIDs.map { "\($0),0.5,0.25,0.25" }
    }

    private static func spoiled(_ row: Int, _ line: String) throws -> [UInt8] {
        var lines = try lines()
        lines[row] = line
        return csv(lines)
    }

    private static func uploads() throws -> [Upload] {
        let good = try lines()
        return [
            Upload(name: "unknown id", body: try spoiled(3, "zz,0.5,0.25,0.25"), fault: "unknown_id"),
            Upload(name: "duplicate id", body: csv(good + [good[7]]), fault: "duplicate_id"),
            Upload(name: "NaN", body: try spoiled(3, "r0003,nan,0.5,0.5"), fault: "not_finite"),
            Upload(name: "infinity", body: try spoiled(3, "r0003,inf,0.5,0.5"), fault: "not_finite"),
            Upload(name: "negative", body: try spoiled(3, "r0003,-0.5,1,0.5"), fault: "negative"),
            Upload(name: "sum", body: try spoiled(3, "r0003,0.5,0.5,0.5"), fault: "sum"),
            Upload(name: "text for a number", body: try spoiled(3, "r0003,a,0.5,0.5"), fault: "not_a_number"),
            Upload(name: "coverage", body: csv(Array(good.dropLast(10))), says: "99 %"),
            Upload(
                name: "wrong columns", body: Array("id,cat,dog,emu\nr0000,0.5,0.25,0.25\n".utf8), says: "emu"),
            Upload(
                name: "wrong order of columns", body: Array("id,dog,cat,owl\nr0000,0.5,0.25,0.25\n".utf8), says: "order"
            ),
            Upload(name: "empty", body: [], says: "empty"),
            Upload(
                name: "truncated gzip", body: [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0x4b, 0x4c],
                headers: [.contentEncoding: "gzip"], says: "gzip"),
            Upload(name: "binary junk", body: (0..<2_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }),
            Upload(
                name: "other digest", body: csv(good),
                headers: [.contentDigest: "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:"],
                problem: .digestMismatch),
            Upload(
                name: "media type", body: csv(good), headers: [.contentType: "image/png"],
                problem: .unsupportedMediaType),
            Upload(name: "no model", body: csv(good), query: "kind=x", problem: .badRequest, says: "model"),
            Upload(name: "no version", body: csv(good), query: "model=m", problem: .badRequest, says: "name@version"),
            Upload(
                name: "latency", body: csv(good), query: "model=m@1&latency_ms=-1", problem: .badRequest,
                says: "latency_ms"),
            Upload(
                name: "endpoint", body: csv(good), query: "model=m@1&endpoint=x",
                problem: .badRequest, says: "address"),
            Upload(
                name: "misspelt", body: csv(good), query: "model=m@1&latency=1", problem: .badRequest,
                says: "latency_ms"),
            Upload(name: "tag", body: csv(good), query: "model=m@1&tag=x", problem: .badRequest, says: "key=value"),
            Upload(
                name: "artifact digest", body: csv(good), query: "model=m@1&sha256=abc", problem: .badRequest,
                says: "64"),
        ]
    }

    @Test func badUploadsAreExplainedAndNothingIsStored() async throws {
        try await RegistryHarness.with { registry in
            _ = try await registry.create("pets", SimulatedTask(rowCount: 200))
            for upload in try Self.uploads() {
                let answer = try await registry.send(
                    .post, "\(APIPath.submissions("pets"))?\(upload.query)", headers: upload.headers, bytes: upload.body
                )
                let problem = try #require(try? answer.decoded(as: Problem.self), "\(upload.name): \(answer.status)")
                #expect(problem.code == upload.problem, "\(upload.name): \(problem)")
                #expect(answer.status.code == problem.status, "\(upload.name)")
                #expect(answer.headers[.contentType] == "application/problem+json", "\(upload.name)")
                if let fault = upload.fault {
                    #expect(
                        (problem.faults ?? []).contains { $0.code == fault && $0.count == 1 },
                        "\(upload.name): \(problem)")
                }
                let words = problem.detail + (problem.faults ?? []).map(\.message).joined()
                #expect(upload.says.isEmpty || words.contains(upload.says), "\(upload.name): \(words)")
            }
            let missing = try await registry.send(
                .post, "\(APIPath.submissions("cats"))?model=m@1", bytes: Self.csv([]))
            #expect(missing.problem == .ensembleNotFound)
            #expect(try await registry.storedRows() == "0|0|0")
        }
    }

    @Test func aDeclaredLengthOverTheLimitIsRefusedBeforeTheBodyIsRead() throws {
        let head = HTTPRequest(
            method: .post, scheme: "http", authority: "registry", path: "/",
            headerFields: [.contentLength: "10000000000"])
        let problem = #expect(throws: Problem.self) {
            try UploadEncoding(Request(head: head, body: RequestBody(buffer: ByteBuffer())), limits: DaemonLimits())
        }
        #expect(problem?.code == .tooLarge)
        #expect(problem?.detail.contains("10000000000") == true)
    }

    @Test func everyKindOfFaultIsReportedWithLinesAndIDs() async throws {
        try await RegistryHarness.with { registry in
            _ = try await registry.create("pets", SimulatedTask(rowCount: 200))
            var lines = try Self.lines()
            lines[1] = "zz,0.5,0.25,0.25"
            lines[2] = "r0002,-1,1,1"
            lines[4] = "r0004,0.9,0.9,0.9"
            let answer = try await registry.send(
                .post, "\(APIPath.submissions("pets"))?model=m@1", bytes: Self.csv(lines + [lines[9]]))
            let faults = try #require(answer.decoded(as: Problem.self).faults)
            func example(_ code: String) -> Problem.Example? { faults.first { $0.code == code }?.examples.first }
            #expect(example("unknown_id") == .init(line: 3, id: "zz"))
            #expect(example("negative") == .init(line: 4, id: "r0002"))
            #expect(example("sum") == .init(line: 6, id: "r0004"))
            #expect(example("duplicate_id") == .init(line: 202, id: "r0009"))
        }
    }

    @Test func aVersionIsImmutable() async throws {
        try await RegistryHarness.with { registry in
            let task = try SimulatedTask(rowCount: 200)
            _ = try await registry.create("pets", task)
            let predictions = try task.predictions(skill: 1, seed: 1)
            #expect(try await registry.submit("m@1", to: "pets", task, predictions).status == .accepted)
            let other = try await registry.submit("m@1", to: "pets", task, task.predictions(skill: 1, seed: 2))
            #expect(other.problem == .modelVersionImmutable)
            let relabelled = try await registry.submit("m@1&kind=graph", to: "pets", task, predictions)
            #expect(relabelled.problem == .modelVersionImmutable)
            #expect(try await registry.storedRows() == "1|1|1")
        }
    }

    @Test func anEnsembleIsCreatedWholeOrNotAtAll() async throws {
        try await RegistryHarness.with { registry in
            let path = "\(APIPath.ensemble("pets"))?class=cat&class=dog"
            let bodies: [(String, String)] = [
                ("", "empty"), ("id,label\n", "row"), ("id\na\n", "label"),
                ("id,label\na,cat\na,dog\n", "repeated"),
                ("id,label\na,emu\n", "class"),
            ]
            for (body, says) in bodies {
                let problem: Problem = try await registry.send(.put, path, body: body).decoded()
                let words = problem.detail + (problem.faults ?? []).map(\.message).joined()
                #expect(problem.code == .invalidUpload, "\(body)")
                #expect(words.contains(says), "\(body): \(words)")
            }
            let good = (0..<200).reduce(into: "id,label\n") { $0 += "r\($1),\($1 % 2 == 0 ? "cat" : "dog")\n" }
            let few: Problem = try await registry.send(.put, path, body: "id,label\na,cat\nb,dog\n").decoded()
            #expect(few.code == .invalidUpload)
            #expect(few.detail.contains("groups"))
            #expect(try await registry.send(.put, APIPath.ensemble("pets"), body: good).problem == .badRequest)
            #expect(
                try await registry.send(.put, path + "&policy=%7B%22budge%22:1%7D", body: good).problem
                    == .invalidPolicy)
            #expect(
                try await registry.send(.put, "\(APIPath.ensembles)/a%20b?class=a&class=b", body: good).problem
                    == .badRequest)
            #expect(try await registry.send(.get, APIPath.ensemble("pets")).problem == .ensembleNotFound)
            #expect(try await registry.send(.put, path, body: good).status == .created)
            #expect(try await registry.send(.put, path, body: good + "z,cat\n").problem == .ensembleExists)
        }
    }

    @Test func aBudgetAsksForDeclaredCosts() async throws {
        try await RegistryHarness.with { registry in
            let task = try SimulatedTask(rowCount: 200)
            _ = try await registry.create("pets", task, policy: #"{"budget":{"latency_ms":5}}"#)
            let predictions = try task.predictions(skill: 1, seed: 1)
            #expect(try await registry.submit("m@1", to: "pets", task, predictions).problem == .invalidUpload)
            let declared = "m@1&latency_ms=2&kind=graph&tag=a%3Db"
            #expect(try await registry.submit(declared, to: "pets", task, predictions).status == .accepted)
            // What was declared once need not be said again.
            #expect(try await registry.submit("m@1", to: "pets", task, predictions).status == .ok)
            #expect(try await registry.submit("m@1&kind=graph", to: "pets", task, predictions).status == .ok)
            let other = try await registry.submit("m@1&latency_ms=3", to: "pets", task, predictions)
            #expect(other.problem == .modelVersionImmutable)
        }
    }

    @Test func tooManyUploadsAtOnceAreToldToWait() async throws {
        var limits = DaemonLimits()
        limits.concurrentUploads = 0
        try await RegistryHarness.with(limits: limits) { registry in
            let answer = try await registry.create("pets", SimulatedTask(rowCount: 200))
            #expect(answer.problem == .busy)
            #expect(answer.headers[.retryAfter] == "1")
        }
    }

    @Test(arguments: ["limit=0", "limit=1000", "limit=x", "after=x"])
    func badPagesAreRefused(query: String) async throws {
        try await RegistryHarness.with { registry in
            _ = try await registry.create("pets", SimulatedTask(rowCount: 200))
            #expect(try await registry.send(.get, "\(APIPath.decisions("pets"))?\(query)").problem == .badRequest)
        }
    }

    @Test func otherMethodsAreToldWhatThePathTakes() async throws {
        try await RegistryHarness.with { registry in
            let cases: [(HTTPRequest.Method, String, String)] = [
                (.delete, APIPath.ensemble("pets"), "GET, PUT"), (.get, APIPath.found("pets"), "POST"),
                (.put, APIPath.submissions("pets"), "GET, POST"), (.post, "/health/live", "GET"),
                (.init("QUERY") ?? .trace, "\(APIPath.root)/tokens/1", "DELETE"),
            ]
            for (method, path, allowed) in cases {
                let answer = try await registry.send(method, path)
                let problem: Problem = try answer.decoded()
                #expect(answer.status == .methodNotAllowed, "\(path)")
                #expect(answer.headers[.allow] == allowed)
                #expect(answer.headers[.contentType] == "application/problem+json")
                #expect(problem.code == .methodNotAllowed)
                #expect(problem.requestID == answer.headers[.requestID])
            }
            #expect(try await registry.send(.put, "\(APIPath.root)/nothing").problem == .notFound)
        }
    }

    @Test func unknownPathsAndRecordsAreProblemsToo() async throws {
        try await RegistryHarness.with { registry in
            let task = try SimulatedTask(rowCount: 200)
            _ = try await registry.create("pets", task)
            let nowhere = try await registry.send(.get, "/api/v2")
            #expect(nowhere.problem == .notFound)
            #expect(try await registry.send(.get, "\(APIPath.root)/submissions/x").problem == .notFound)
            _ = try await registry.submit("m@1", to: "pets", task, task.predictions(skill: 1, seed: 1))
            for wait in ["-1", "x", "nan"] {
                #expect(try await registry.send(.get, "\(APIPath.submission(1))?wait=\(wait)").problem == .badRequest)
            }
            #expect(try await registry.send(.get, "\(APIPath.submission(1))?wait=1e300").status == .ok)
            for path in [APIPath.submission(9), APIPath.evaluation(9), APIPath.decision(9), APIPath.evidence(9)] {
                #expect(try await registry.send(.get, path).problem == .notFound, "\(path)")
            }
            #expect(try await registry.send(.get, "\(APIPath.models)/n@1").problem == .modelNotFound)
            #expect(try await registry.send(.get, APIPath.combiner(.of("x"))).problem == .notFound)
        }
    }
}

extension RegistryHarness {
    /// Counts of model versions, submissions and prediction blocks.
    func storedRows() async throws -> String {
        try await Psql.run(
            """
            SELECT (SELECT count(*) FROM model_version), (SELECT count(*) FROM submission),
                   (SELECT count(*) FROM prediction_block)
            """, on: database)
    }
}
