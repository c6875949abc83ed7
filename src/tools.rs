//! Functions that a model may call: what an agent declares, the checks of what a model asks for, who waits
//! for which result, and who must be asked before.
