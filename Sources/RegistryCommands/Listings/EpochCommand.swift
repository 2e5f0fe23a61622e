import ArgumentParser
import EnsembleModel
import RegistryAPI
import RegistryClient

/// Validation sets one after another.
struct EpochCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "epoch", abstract: "Give an ensemble a new validation set.", subcommands: [Start.self])

    /// Starts one.
    struct Start: RegistryRequest {
        static let configuration = CommandConfiguration(
            commandName: "start",
            abstract: "Begin an epoch with new labelled rows; harmless when they are the current ones.",
            discussion: """
                The champion serves on. Members need predictions of the new rows (submit the same versions again) \
                before newcomers are evaluated. Rows of fresh groups bring a fresh alpha; where groups were in an \
                earlier epoch, what was spent then stays spent, and what was open or sealed stays so.
                """)

        @Argument(help: "Ensemble.") var name: String
        @Option(
            help: ArgumentHelp(
                "Labelled rows: CSV id,label[,group][,slice], .csv or .csv.gz, or - for standard input.",
                valueName: "file"))
        var labels: String
        @OptionGroup(title: "Connection") var connection: ConnectionOptions

        func run(_ client: RegistryClient, _ output: Output) async throws {
            let file = try LocalFile(path: labels, what: "--labels")
            let table = TableFile(file, contentType: "text/csv", isGzipped: labels.lowercased().hasSuffix(".gz"))
            let progress = ProgressLine(output.console)
            defer { progress.clear() }
            let (upload, length, _) = try table.upload(progress)
            let (ensemble, isNew) = try await client.startEpoch(
                ensemble: name, labels: upload, progress: { progress.bytes("uploading", $0, of: length) })
            progress.clear()
            output.note(isNew ? "Epoch \(ensemble.epoch.number) has begun." : "These rows are the current epoch's.")
            try output.emit(ensemble, text: EnsembleText.full)
        }
    }
}
