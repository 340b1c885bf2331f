from aggpose.cli.app import main

main()
