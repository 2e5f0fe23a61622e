import EnsembleModel
import Foundation
import HTTPTypes
import RegistryAPI
import Testing

@testable import RegistryCommands

/// Whole commands against a registry with prepared answers.
struct CommandTests {
    @Test(
        arguments: [
            (Verdict.admit, 0), (.admitRetire, 0), (.rejectNoGain, 4), (.rejectDuplicate, 4), (.rejectBudget, 4),
            (.rejectGuardrail, 4), (.holdCooldown, 5), (.holdQuota, 5), (.holdEpochExhausted, 5),
            (.holdTooFewGroups, 5),
        ] as [(Verdict, Int32)])
    func waitingFollowsTheEvaluationToItsVerdict(_ verdict: Verdict, _ status: Int32) async throws {
        try await withScratchFolder { folder in
            let file = folder.appending(path: "p.csv")
            try "id,x,y\nr1,0.5,0.5\n".write(to: file, atomically: true, encoding: .utf8)
            let report = try Fixture.report(verdict, "made up")
            try await CannedRegistry.with { seen, number in
                switch number {
                case 0:
                    return try .json(
                        Fixture.submission(state: .queued, evaluation: Fixture.evaluation(state: .queued)), status: 202)
                case 1:
                    let progress = EvaluationProgress(phase: "cross-fit", completed: 1, total: 5)
                    return try .json(
                        Fixture.submission(
                            state: .evaluating, evaluation: Fixture.evaluation(state: .evaluating, progress: progress)))
                case 2:
                    return try .json(
                        Fixture.submission(
                            state: .decided, evaluation: Fixture.evaluation(state: .decided, decision: 9)))
                case 3: return try .json(report.decision)
                default: return try .json(report.evidence)
                }
            } _: { registry in
                let run = await Transcript.run(
                    ["submit", "e", "a@1", "--predictions", file.path, "--wait"], registry: registry)
                #expect(run.status == status)
                #expect(run.errors == "Submission 5 is stored; waiting for its verdict.\n")
                #expect(run.output == DecisionText.full(report))
                #expect(run.output.contains("verdict         \(verdict.rawValue)\n"))
                #expect(
                    registry.seen.dropFirst().map(\.target) == [
                        "/api/v1/submissions/5?wait=25", "/api/v1/submissions/5?wait=25", "/api/v1/decisions/9",
                        "/api/v1/decisions/9/evidence",
                    ])
            }
        }
    }

    @Test func cancelledEvaluationsTellTheReason() async throws {
        let cancelled = try Fixture.evaluation(state: .cancelled, failure: "a new epoch has begun")
        #expect(EvaluationResult.text(cancelled) == "Evaluation 7 of e: cancelled: a new epoch has begun.")
        #expect(
            SubmissionText.of(try Fixture.submission(state: .cancelled, evaluation: cancelled), nil)
                .hasSuffix("\nCancelled: a new epoch has begun."))
        let asked = try Fixture.evaluation(state: .cancelled)
        #expect(EvaluationResult.text(asked) == "Evaluation 7 of e: cancelled.")
    }

    @Test func aVerdictOfBeforeIsSaidToBeOne() async throws {
        try await withScratchFolder { folder in
            let file = folder.appending(path: "p.csv")
            try "id,x,y\nr1,0.5,0.5\n".write(to: file, atomically: true, encoding: .utf8)
            let report = try Fixture.report(.rejectNoGain, "made up")
            try await CannedRegistry.with { seen, number in
                if seen.target.hasSuffix("evidence") { return try .json(report.evidence) }
                if seen.target.contains("decisions") { return try .json(report.decision) }
                return try .json(
                    Fixture.submission(state: .decided, evaluation: Fixture.evaluation(state: .decided, decision: 9)))
            } _: { registry in
                let submit = ["submit", "e", "a@1", "--predictions", file.path]
                let waited = await Transcript.run(submit + ["--wait"], registry: registry)
                #expect(waited.status == 4)
                #expect(waited.errors == "Submission 5 was decided before; its verdict stands.\n")
                #expect(waited.output == DecisionText.full(report))
                let seen = await Transcript.run(submit, registry: registry)
                #expect(seen.output.hasSuffix("\nDecided before: see `registry decisions show 9`.\n"))
            }
        }
    }

    /// A failure before the last attempt is one that a worker knows to be for good.
    @Test(arguments: [
        (3, "the worker died three times. Queue it again with `registry retry 7`.\n"),
        (1, "the worker died three times.\n"),
    ])
    func failedEvaluationsTellTheReasonAndTheWayOn(attempt: Int, says: String) async throws {
        let failed = try Fixture.evaluation(
            state: .failed, attempt: attempt, failure: "the worker died three times")
        try await CannedRegistry.with { seen, _ in
            seen.method == "POST"
                ? try .json(failed, status: 202) : try .json(Fixture.submission(state: .failed, evaluation: failed))
        } _: { registry in
            let run = await Transcript.run(["ensembles", "found", "e", "--wait"], registry: registry)
            #expect(registry.seen.first?.target == "/api/v1/ensembles/e/found")
            #expect(run.status == 1)
            #expect(run.output == "Evaluation 7 of e: failed: " + says)
            _ = await Transcript.run(["ensembles", "found", "e", "--replace"], registry: registry)
            #expect(registry.seen.last?.target == "/api/v1/ensembles/e/found?replace=true")
            let show = await Transcript.run(["submissions", "show", "5"], registry: registry)
            #expect(show.output == "Submission 5: a@1 to e, 2 rows.\nFailed: " + says)
        }
    }

    @Test func jsonIsAllThatIsWritten() async throws {
        try await withScratchFolder { folder in
            let file = folder.appending(path: "p.csv.gz")
            try Data([0x1F, 0x8B, 1, 2, 3]).write(to: file)
            let record = try Fixture.submission(state: .candidate)
            try await CannedRegistry.with { seen, _ in
                seen.method == "GET" ? try .json(Fixture.ensemble()) : try .json(record)
            } _: { registry in
                let run = await Transcript.run(
                    ["submit", "e", "a@1", "--predictions", file.path, "--json"], registry: registry)
                #expect(run.status == 0)
                #expect(run.errors == "")
                let result = try APIJSON.decoder().decode(SubmitResult.self, from: Data(run.output.utf8))
                #expect(result.submission == record)
                #expect(result.decision == nil)
                let seen = try #require(registry.seen.first)
                #expect(seen.headers[.contentType] == "text/csv")
                #expect(seen.headers[.contentEncoding] == "gzip")
                #expect(seen.body == [0x1F, 0x8B, 1, 2, 3])
            }
        }
    }

    @Test func numpyWithIDsIsSentAsCSV() async throws {
        try await withScratchFolder { folder in
            let (values, ids) = (folder.appending(path: "p.npy"), folder.appending(path: "ids.txt"))
            try Data(NumpyTests.bytes(NumpyTests.float32)).write(to: values)
            try "r1\nr,\"2\n".write(to: ids, atomically: true, encoding: .utf8)
            try await CannedRegistry.with { seen, _ in
                seen.method == "GET" ? try .json(Fixture.ensemble()) : try .json(Fixture.submission(state: .candidate))
            } _: { registry in
                let arguments = ["submit", "e", "a@1", "--predictions", values.path, "--ids", ids.path]
                let run = await Transcript.run(arguments, registry: registry)
                #expect(run.status == 0, "\(run.errors)")
                let seen = try #require(registry.seen.last { $0.method == "POST" })
                #expect(String(decoding: seen.body, as: UTF8.self) == NumpyTests.expected)
                #expect(seen.headers[.contentType] == "text/csv")
                #expect(seen.headers[.contentLength] == "\(NumpyTests.expected.utf8.count)")

                try "r1\n".write(to: ids, atomically: true, encoding: .utf8)
                let short = await Transcript.run(arguments, registry: registry)
                #expect(short.status == 3)
                #expect(short.errors.contains("one id a row is needed"))
                #expect(registry.seen.count { $0.method == "POST" } == 1, "nothing is uploaded")
            }
        }
    }

    @Test func faultsOfANumpyTableNameLinesOfTheIDs() async throws {
        try await withScratchFolder { folder in
            let (values, ids) = (folder.appending(path: "p.npy"), folder.appending(path: "ids.txt"))
            try Data(NumpyTests.bytes(NumpyTests.float32)).write(to: values)
            try "r1\nr2\n".write(to: ids, atomically: true, encoding: .utf8)
            let examples = [Problem.Example(line: 3, id: "r2"), .init(line: nil, id: "r9")]
            let problem = Problem(
                .invalidUpload, detail: "",
                faults: [.init(code: "unknown_id", message: "no such row", count: 2, examples: examples)])
            try await CannedRegistry.with { seen, _ in
                seen.method == "GET" ? try .json(Fixture.ensemble()) : try .problem(problem)
            } _: { registry in
                let run = await Transcript.run(
                    ["submit", "e", "a@1", "--predictions", values.path, "--ids", ids.path], registry: registry)
                #expect(run.status == 3)
                #expect(run.errors.hasSuffix("    line 2: r2\n    r9\n"), "\(run.errors)")
            }
        }
    }

    @Test(
        arguments: [
            (ProblemCode.invalidUpload, 3), (.modelVersionImmutable, 3), (.invalidPolicy, 3), (.ensembleExists, 3),
            (.tooLarge, 3),
            (.unauthenticated, 6), (.forbidden, 6), (.ensembleNotFound, 1), (.internalError, 1),
        ] as [(ProblemCode, Int32)])
    func problemsEndWithTheirStatus(_ code: ProblemCode, _ status: Int32) async throws {
        let problem = Problem(code, detail: "What is wrong here.", requestID: "r-1")
        try await CannedRegistry.with { _, _ in
            try .problem(problem)
        } _: { registry in
            let run = await Transcript.run(["ensembles", "show", "e"], registry: registry)
            #expect(run.status == status)
            #expect(run.output == "")
            #expect(run.errors.hasPrefix("Error: \(code.title).\nWhat is wrong here.\n"))
            let json = await Transcript.run(["ensembles", "show", "e", "--json"], registry: registry)
            #expect(json.status == status)
            let written = try APIJSON.decoder().decode(Problem.self, from: Data(json.output.utf8))
            #expect(written == problem)
        }
    }

    @Test func nobodyThere() async {
        // Port 1 is reserved and needs a privilege to be listened on.
        let run = await Transcript.run(["ensembles", "list", "--registry", "http://127.0.0.1:1"])
        #expect(run.status == 7)
        #expect(run.errors.hasPrefix("Error: cannot reach the registry at http://127.0.0.1:1: connection refused\n"))
    }

    @Test func creatingSendsClassesInOrderAndThePolicy() async throws {
        try await withScratchFolder { folder in
            let labels = folder.appending(path: "labels.csv")
            let classes = folder.appending(path: "classes.txt")
            let policy = folder.appending(path: "policy.yaml")
            try "id,label\nr1,x\n".write(to: labels, atomically: true, encoding: .utf8)
            try "x\r\ny z\n\n".write(to: classes, atomically: true, encoding: .utf8)
            try "budget: {members: 3}".write(to: policy, atomically: true, encoding: .utf8)
            try await CannedRegistry.with { _, _ in
                try .json(Fixture.ensemble(), status: 201)
            } _: { registry in
                let arguments = ["ensembles", "create", "e", "--labels", labels.path]
                let run = await Transcript.run(
                    arguments + ["--classes", classes.path, "--policy", policy.path], registry: registry)
                #expect(run.status == 0)
                #expect(run.errors == "Created.\n")
                let seen = try #require(registry.seen.first)
                #expect(seen.method == "PUT")
                #expect(seen.target.hasPrefix("/api/v1/ensembles/e?class=x&class=y%20z&policy=%7B"))
                let query = try #require(URLComponents(string: seen.target)?.queryItems?.last?.value)
                #expect(try JSONDecoder().decode(Policy.self, from: Data(query.utf8)).budget.members == 3)
                let neither = await Transcript.run(arguments, registry: registry)
                #expect(neither.status == 2)
            }
        }
    }

    @Test func wrongClassesAreToldByTheirOption() async throws {
        try await withScratchFolder { folder in
            let classes = folder.appending(path: "classes.txt")
            try "x\ny\nx\n".write(to: classes, atomically: true, encoding: .utf8)
            let create = ["ensembles", "create", "e", "--labels", "-", "--registry", "http://127.0.0.1:1"]
            let file = await Transcript.run(create + ["--classes", classes.path])
            #expect(file.status == 2)
            #expect(
                file.errors == "Error: --classes \(classes.path) gives 3 classes, 1 of them repeated: "
                    + "an ensemble has 2 to 64 different ones, in the file one a line\n")
            let one = await Transcript.run(create + ["--class", "x"])
            #expect(one.status == 2)
            #expect(one.errors == "Error: --class gives 1 class: an ensemble has 2 to 64 different ones\n")
        }
    }

    @Test func tokenComesFromTheFirstPlaceThatHasOne() async throws {
        try await withScratchFolder { folder in
            let local = folder.appending(path: "data/ensemble-registry")
            try FileManager.default.createDirectory(at: local, withIntermediateDirectories: true)
            try "local\n".write(to: local.appending(path: "admin.token"), atomically: true, encoding: .utf8)
            let file = folder.appending(path: "token")
            try "file\n".write(to: file, atomically: true, encoding: .utf8)
            try await CannedRegistry.with { _, _ in
                try .json(Page<TokenRecord>(items: [], next: nil))
            } _: { registry in
                let data = ["XDG_DATA_HOME": folder.appending(path: "data").path]
                let named = data.merging(["REGISTRY_TOKEN_FILE": file.path]) { $1 }
                let direct = named.merging(["REGISTRY_TOKEN": "direct"]) { $1 }
                _ = await Transcript.run(["tokens", "list"], registry: registry)
                _ = await Transcript.run(["tokens", "list"], registry: registry, environment: data)
                _ = await Transcript.run(["tokens", "list"], registry: registry, environment: named)
                _ = await Transcript.run(["tokens", "list"], registry: registry, environment: direct)
                _ = await Transcript.run(
                    ["tokens", "list", "--token-file", file.path], registry: registry, environment: direct)
                #expect(
                    registry.seen.map { $0.headers[.authorization] } == [
                        nil, "Bearer local", "Bearer file", "Bearer direct", "Bearer file",
                    ])
                let missing = await Transcript.run(
                    ["tokens", "list", "--token-file", "/nonexistent"], registry: registry)
                #expect(missing.status == 2)
                #expect(registry.seen.count == 5)
            }
        }
    }

    @Test func listingsTakePagesUpToTheLimit() async throws {
        let promotion = PromotionRecord(
            ensemble: "e", sequence: 1, kind: .founding, admission: .shapleyTopK, joined: [try ModelVersionID("a@1")],
            retired: [],
            members: [try ModelVersionID("a@1")], actor: "ann", reason: "the best set", decision: 9, manifest: .of("m"),
            createdAt: Fixture.date)
        try await CannedRegistry.with { _, number in
            try .json(Page(items: [promotion], next: number < 5 ? "c\(number)" : nil))
        } _: { registry in
            let run = await Transcript.run(["promotions", "e", "--limit", "2"], registry: registry)
            #expect(
                run.output == """
                    manifest  when (UTC)        kind      joined  retired  members  by   decision  reason
                           1  2026-01-01 12:34  founding  a@1     -              1  ann         9  the best set
                           1  2026-01-01 12:34  founding  a@1     -              1  ann         9  the best set

                    """)
            #expect(run.errors == "There is more: go on with --after c1, or show more with --limit.\n")
            #expect(
                registry.seen.map(\.target) == [
                    "/api/v1/ensembles/e/promotions?limit=2", "/api/v1/ensembles/e/promotions?after=c0&limit=1",
                ])
            let json = await Transcript.run(["promotions", "e", "--limit", "1", "--json"], registry: registry)
            #expect(json.errors == "")
            let page = try APIJSON.decoder().decode(Page<PromotionRecord>.self, from: Data(json.output.utf8))
            #expect(page.next == "c2")
            let whole = await Transcript.run(["promotions", "e"], registry: registry)
            #expect(whole.errors == "")
        }
    }

    @Test func manifestAndCombinerAreWrittenAsServed() async throws {
        let combiner = Combiner(text: Array("tree\n".utf8), treeCount: 3, golden: Fixture.golden)
        let bytes = try Fixture.manifest(combiner).canonicalBytes()
        let digest = ContentDigest.of(bytes)
        try await withScratchFolder { folder in
            try await CannedRegistry.with { seen, _ in
                seen.target.contains("combiners")
                    ? .init(body: combiner.text) : .init(headers: ["ETag": "\"\(digest.hex)\""], body: bytes)
            } _: { registry in
                let (output, model) = (folder.appending(path: "m.json"), folder.appending(path: "c.txt"))
                let run = await Transcript.run(
                    ["manifest", "get", "e", "--output", output.path, "--combiner", model.path, "--sequence", "4"],
                    registry: registry)
                #expect(run.status == 0, "\(run.errors)")
                #expect(run.output.contains("sha256      \(digest)\n"))
                #expect(run.output.contains("a@1     -            5.9             -  -\n"))
                let written = try [output, model].map { try Array(Data(contentsOf: $0)) }
                #expect(written == [bytes, combiner.text])
                #expect(registry.seen.first?.target == "/api/v1/ensembles/e/manifests/4")
                let exact = await Transcript.run(["manifest", "get", "e", "--output", "-"], registry: registry)
                #expect(Array(exact.output.utf8) == bytes)
            }
        }
    }

    @Test func rowsPassThroughUnchanged() async throws {
        let text = "id,group\n" + (0..<50_000).map { "é\($0),g\n" }.joined() + "last,g"
        try await CannedRegistry.with { _, _ in
            .init(body: Array(text.utf8))
        } _: { registry in
            let run = await Transcript.run(["ensembles", "rows", "e"], registry: registry)
            #expect(run.status == 0)
            #expect(run.output == text)
        }
    }
}
