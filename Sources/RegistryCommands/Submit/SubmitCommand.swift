import ArgumentParser
import EnsembleModel
import Foundation
import RegistryAPI
import RegistryClient

/// Offers a model version to an ensemble.
struct SubmitCommand: RegistryRequest {
    static let configuration = CommandConfiguration(
        commandName: "submit",
        abstract: "Offer a model version to an ensemble with its predictions.",
        discussion: """
            Predictions are one row of class probabilities per validation row: CSV with the column id and one column \
            per class, or a NumPy table (rows, classes) whose rows stand in row-id order (see `registry ensembles \
            rows`) or whose ids are given with --ids. Sending the same again is harmless: it brings the verdict there \
            is. After a hold, which is none, it is evaluated again. What is declared of a model version stays; sending \
            it again, as for a new epoch, needs no repeating of it.
            """)

    @Argument(help: ArgumentHelp("Ensemble.", valueName: "ensemble"))
    var ensemble: String

    @Argument(help: ArgumentHelp("Model version, e.g. minilm@3.", valueName: "model@version"))
    var model: ModelVersionID

    @Option(
        help: ArgumentHelp("Predictions: .csv, .csv.gz, .npy, .npy.gz, or - for standard input.", valueName: "file"))
    var predictions: String

    @Option(help: "Format of the predictions where the name does not tell.")
    var format: PredictionsFormat?

    @Option(help: ArgumentHelp("Row ids of a NumPy table: one a line, or CSV with a column id.", valueName: "file"))
    var ids: String?

    @OptionGroup(title: "Model") var metadata: MetadataOptions

    @Flag(help: "Wait for the verdict; the exit status tells it.")
    var wait = false

    @OptionGroup(title: "Connection") var connection: ConnectionOptions

    mutating func validate() throws {
        do {
            try Name.check(ensemble, as: "ensemble")
        } catch {
            throw ValidationError(error.message)
        }
        if predictions == "-", ids == "-" {
            throw ValidationError("Standard input cannot be both --predictions and --ids.")
        }
    }

    func run(_ client: RegistryClient, _ output: Output) async throws {
        let table = try await table(client)
        let progress = ProgressLine(output.console)
        let submission: SubmissionRecord
        do {
            defer { progress.clear() }
            let (upload, length, digest) = try table.upload(progress)
            let metadata = try metadata.metadata
            submission = try await client.submit(
                model, to: ensemble, metadata: metadata, predictions: upload,
                idempotencyKey: Self.idempotencyKey(
                    ensemble: ensemble, model: model, metadata: metadata, digest: digest),
                progress: { progress.bytes("uploading", $0, of: length) })
        } catch let error as RegistryClientError {
            throw table.naming(error)
        }
        guard wait else {
            let candidacy = try await client.candidacy(of: submission)
            return try output.emit(SubmitResult(submission: submission, decision: nil)) {
                SubmissionText.of($0.submission, candidacy)
            }
        }
        if !submission.state.isFinal {
            let held = submission.holdCount > 0 ? " \(SubmissionText.held(submission)) before." : ""
            output.console.tell("Submission \(submission.id) is stored; waiting for its verdict.\(held)\n")
        } else if submission.state == .decided {
            output.console.tell("Submission \(submission.id) was decided before; its verdict stands.\n")
        }
        let final = try await client.follow(submission, ProgressLine(output.console))
        try await SubmitResult.show(final, waited: true, client, output)
    }

    private func table(_ client: RegistryClient) async throws -> TableFile {
        let format = try PredictionsFormat.of(predictions, given: format)
        if let ids, !format.isNumpy {
            throw CommandError(.usage, "--ids \(ids) goes with a NumPy table; a CSV file has its ids in the column id")
        }
        let file = try LocalFile(path: predictions, what: "--predictions")
        if format.isNumpy, ids == nil {
            Console.current.tell(
                "Taking the table's rows in row-id order: see `registry ensembles rows \(ensemble)`.\n")
        }
        guard let ids else { return TableFile(file, contentType: format.contentType, isGzipped: format.isGzipped) }
        let idsFile = try LocalFile(path: ids, what: "--ids")
        let classes = try await client.ensemble(ensemble).classes
        return TableFile(numpy: file, isGzipped: format.isGzipped, ids: idsFile, idsPath: ids, classes: classes)
    }

    /// The same for the same model version with the same metadata and predictions, so that sending them again changes
    /// nothing.
    static func idempotencyKey(
        ensemble: String, model: ModelVersionID, metadata: ModelMetadata, digest: ContentDigest
    ) throws -> String {
        ContentDigest.of("\(ensemble)\n\(model)\n\(try CanonicalValue(encoding: metadata).digest)\n\(digest)").hex
    }
}

/// The JSON of `registry submit`.
struct SubmitResult: Codable, Sendable {
    var submission: SubmissionRecord
    /// With `--wait`, once there is one.
    var decision: DecisionRecord?

    /// Shows a submission with its verdict, or what it waits for; who waited gets the verdict as exit status.
    static func show(
        _ submission: SubmissionRecord, waited: Bool, _ client: RegistryClient, _ output: Output
    ) async throws {
        let report = try await client.report(of: submission.evaluation)
        let candidacy = try await client.candidacy(of: submission)
        try output.emit(SubmitResult(submission: submission, decision: report?.decision)) { result in
            report.map(DecisionText.full) ?? SubmissionText.of(result.submission, candidacy)
        }
        if waited { try (candidacy?.exitStatus ?? ExitStatus(report?.decision)).end() }
    }
}
