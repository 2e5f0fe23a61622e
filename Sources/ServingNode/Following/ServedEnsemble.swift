import Synchronization

/// The place where the follower puts a champion and from where requests take it.
final class ServedEnsemble: Sendable {
    /// The ensemble's name.
    let name: String
    private let loaded: Mutex<LoadedEnsemble?>

    init(name: String, loaded: LoadedEnsemble? = nil) {
        self.name = name
        self.loaded = Mutex(loaded)
    }

    /// What is served now. A request reads this once and uses nothing else.
    var current: LoadedEnsemble? { loaded.withLock { $0 } }

    /// Serves another champion from the next request on.
    func activate(_ new: LoadedEnsemble) { loaded.withLock { $0 = new } }
}
