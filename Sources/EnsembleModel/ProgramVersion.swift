/// The version of this package's programs.
public enum ProgramVersion {
    /// Semantic version, as `--version` prints it and evaluations record it.
    public static let current = "0.1.0"
}
