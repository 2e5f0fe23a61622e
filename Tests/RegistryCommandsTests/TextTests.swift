import EnsembleModel
import Foundation
import RegistryAPI
import RegistryClient
import Testing

@testable import RegistryCommands

struct TextTests {
    @Test func tableAlignsByDisplayColumns() {
        let table = TextTable(
            columns: [.text("model"), .number("rows"), .text("note")],
            rows: [["minilm@3", "5000", "é"], ["日本@1", "7", ""], ["e\u{301}🙂@1", "12", "x"]])
        #expect(
            table.text == """
                model     rows  note
                minilm@3  5000  é
                日本@1       7
                e\u{301}🙂@1       12  x

                """)
    }

    @Test func controlsOfOthersDoNotReachTheTerminal() {
        let table = TextTable(columns: [.text("a")], rows: [["x\u{1B}[31m\n\u{202E}y"]])
        #expect(table.text == "a\nx\u{FFFD}[31m\u{FFFD}\u{FFFD}y\n")
        #expect(TextTable.details([("name", "v\r"), ("gone", nil), ("empty", "")]) == "name   v\u{FFFD}\nempty  -\n")
    }

    @Test(arguments: [
        (0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (27_040_000, "27.0 MB"), (999_960, "1.0 MB"), (5e12, "5.0 TB"),
    ])
    func bytes(_ count: Double, _ text: String) { #expect(Format.bytes(count) == text) }

    @Test(arguments: [(0.2, "1 s"), (59, "59 s"), (60, "1:00"), (185, "3:05"), (3723, "1:02:03"), (1e9, "many hours")])
    func duration(_ seconds: Double, _ text: String) { #expect(Format.duration(seconds) == text) }

    @Test func datesAreShortAndUTC() {
        #expect(Format.date(Date(timeIntervalSince1970: 1_767_270_896)) == "2026-01-01 12:34")
    }

    @Test func transferShowsShareRateAndTimeLeft() {
        let text = ProgressLine.transfer("uploading", done: 25_000_000, total: 100_000_000, seconds: 5, width: 100)
        #expect(text == "uploading ███████░░░░░░░░░░░░░░░░░░░░░░░  25 %  25.0 MB of 100.0 MB  5.0 MB/s  15 s left")
        let narrow = ProgressLine.transfer("uploading", done: 100, total: 100, seconds: 0, width: 40)
        #expect(narrow == "uploading 100 %  100 B of 100 B  0 B/s")
    }

    @Test func utilitiesHaveOneColumnADefinition() throws {
        let (a, b) = (try ModelVersionID("a@1"), try ModelVersionID("b@1"))
        let text = DecisionText.utilities([
            UtilityScore(model: b, kind: .shapleyAbs, value: 0.5, standardError: 0.01),
            UtilityScore(model: a, kind: .shapleyAbs, value: 0.25),
            UtilityScore(model: b, kind: .sage, value: -0.125),
        ])
        #expect(
            text == """
                utility       shapley_abs      sage
                b@1      0.50000 ±0.01000  -0.12500
                a@1               0.25000         -

                """)
    }

    @Test func segmentsHaveATableAKindWithTheLargestOfThem() throws {
        let (a, b) = (try ModelVersionID("a@1"), try ModelVersionID("b@1"))
        func segment(_ kind: Evidence.Segment.Kind, _ name: String, _ rows: Int) -> Evidence.Segment {
            let scores = [
                UtilityScore(model: a, kind: .shapleySigned, value: 0.25, standardError: rows > 1 ? 0.0126 : nil),
                UtilityScore(model: b, kind: .shapleySigned, value: -1 / 16),
            ]
            return .init(kind: kind, name: name, rowCount: rows, scores: rows > 0 ? scores : [])
        }
        let classes = [segment(.class, "cat", 12), segment(.class, "dog", 0), segment(.class, "fox\u{1B}", 1)]
        #expect(
            DecisionText.segments(classes) == [
                """
                shapley_signed by class           cat   dog    fox\u{FFFD}
                rows                               12  none       1
                a@1                      0.250 ±0.013     -   0.250
                b@1                            -0.062     -  -0.062

                """
            ])
        let slices = (0..<10).map { segment(.slice, "s\($0)", $0 == 4 ? 0 : 10 + $0) }
        let texts = DecisionText.segments(classes + slices)
        #expect(texts.count == 2)
        #expect(texts.last?.hasPrefix("shapley_signed by slice, 2 more with --evidence ") == true)
        let title = texts.last?.split(separator: "\n").first?.split(separator: " ") ?? []
        #expect(title.suffix(8) == ["s1", "s2", "s3", "s5", "s6", "s7", "s8", "s9"])
        #expect(DecisionText.segments([segment(.class, "cat", 0)]) == [])
        #expect(DecisionText.segments([]) == [])
    }

    @Test func faultsAreReadable() {
        let problem = Problem(
            .invalidUpload, detail: "2 kinds of faults in 5000 rows",
            faults: [
                .init(
                    code: "unknown_id", message: "the validation set has no such row; see `registry ensembles rows`",
                    count: 3,
                    examples: [.init(line: 7, id: "q1\u{1B}"), .init(line: 9, id: "")]),
                .init(
                    code: "column_count", message: "a row needs an id and 4 numbers", count: 1,
                    examples: [.init(line: 12, id: nil)]),
            ])
        #expect(
            ErrorText.text(problem) == """
                The upload was refused; nothing was stored.
                2 kinds of faults in 5000 rows

                  unknown_id, 3 rows: the validation set has no such row; see `registry ensembles rows`
                    line 7: q1\u{FFFD}
                    line 9: (empty id)
                    … and 1 more

                  column_count, 1 row: a row needs an id and 4 numbers
                    line 12
                """)
    }

    @Test func faultsAreToldOnce() {
        let problem = Problem(
            .invalidUpload, detail: "the upload was refused: send all rows",
            faults: [.init(code: "coverage", message: "send all rows", count: 3, examples: [])])
        #expect(
            ErrorText.text(problem) == """
                The upload was refused; nothing was stored.

                  coverage, 3 rows: send all rows
                """)
    }

    /// Neither an empty file nor a wrong header is a matter of rows.
    @Test func faultsOfNoRowHaveNoCount() {
        let lines = ErrorText.lines([
            .init(code: "empty_file", message: "send a header", count: 1, examples: []),
            .init(
                code: "missing_column", message: "the header lacks 'x', 'y'", count: 2,
                examples: [.init(line: 1, id: nil)]),
        ])
        #expect(lines == ["", "  empty_file: send a header", "", "  missing_column: the header lacks 'x', 'y'"])
    }

    @Test(arguments: ProblemCode.allCases)
    func everyProblemHasItsExitStatus(_ code: ProblemCode) {
        let expected: ExitStatus =
            switch code {
            case .unauthenticated, .forbidden, .ownSubmission: .unauthorised
            case .busy, .databaseUnavailable, .signingUnavailable: .unreachable
            case .notFound, .methodNotAllowed, .ensembleNotFound, .modelNotFound, .notFounded, .internalError: .failed
            default: .refused
            }
        #expect(ExitStatus(RegistryClientError(.problem(Problem(code, detail: "")), "")) == expected)
    }

    @Test func everyVerdictHasItsExitStatus() {
        let statuses = Verdict.allCases.map { ExitStatus($0) }
        #expect(statuses == [.done, .done] + Array(repeating: .rejected, count: 4) + Array(repeating: .held, count: 4))
        #expect(ExitStatus.allCases.map(\.rawValue) == Array(0...7))
        #expect(ExitStatus(nil) == .failed)
    }

    @Test(arguments: [
        ("http://127.0.0.1:8470", true), ("http://localhost", true), ("http://[::1]:1", true),
        ("https://127.9.9.9/x", true),
        ("http://registry.example", false), ("http://127.0.0.1.example.com", false), ("http://10.0.0.1", false),
        ("nonsense", false),
    ])
    func theLocalTokenStaysOnThisMachine(_ url: String, _ isLoopback: Bool) {
        #expect(ConnectionOptions.isLoopback(url) == isLoopback)
    }
}
