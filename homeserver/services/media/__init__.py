"""Files that people send: taken in (`store`), looked at (`sniff`), made small (`thumbs`), handed out by signed
addresses (`urls`), deleted when their time has come (`sweep`)."""
